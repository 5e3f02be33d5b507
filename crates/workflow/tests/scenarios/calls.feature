Feature: Calls and events

  Scenario: XML becomes data where a task asks for it
    Given a workflow with definition:
    """yaml
    do:
      - order:
          call: http
          with: {method: get, endpoint: 'http://orders/{id}'}
          metadata: {decode: xml}
          output: {as: .order}
    """
    And given the workflow input is:
    """yaml
    {id: 7}
    """
    And given the calls to 'http://orders/7' answer:
    """yaml
    [{type: application/xml, body: '<order id="7"><item>a</item><item>b</item></order>'}]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {'@id': '7', item: [a, b]}
    """

  Scenario: Queries repeat lists and leave out null
    Given a workflow with definition:
    """yaml
    do:
      - ask: {call: http, with: {method: get, endpoint: 'http://x/find?a=1', query: {tag: '${ .tags }', none: null, q: 'a b&c'}}}
    """
    And given the workflow input is:
    """yaml
    {tags: [x, y]}
    """
    And given the calls to 'http://x/find?a=1&tag=x&tag=y&q=a%20b%26c' answer:
    """yaml
    [{body: [1]}]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [1]
    """

  Scenario: Whatever is put into an address cannot leave its place
    Given a workflow with definition:
    """yaml
    do:
      - ask: {call: http, with: {method: get, endpoint: 'http://x/{id}/end'}}
    """
    And given the workflow input is:
    """yaml
    {id: '../a?b'}
    """
    And given the calls to 'http://x/..%2Fa%3Fb/end' answer:
    """yaml
    [{body: {}}]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {}
    """

  Scenario: A redirection that is not followed is an error
    Given a workflow with definition:
    """yaml
    do:
      - ask: {call: http, with: {method: get, endpoint: 'http://x/'}}
    """
    And given the calls to 'http://x/' answer:
    """yaml
    [{status: 302}]
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {status: 302}
    """

  Scenario: A service that is not there is an error of communication
    Given a workflow with definition:
    """yaml
    do:
      - ask: {call: http, with: {method: get, endpoint: {uri: 'http://x/'}}}
    """
    And given the calls to 'http://x/' answer:
    """yaml
    [{failed: connection refused}]
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://serverlessworkflow.io/spec/1.0.0/errors/communication', status: 503, detail: connection refused, instance: /do/0/ask}
    """

  Scenario: Listen takes the event that is meant
    Given a workflow with definition:
    """yaml
    do:
      - ask: {set: {order: 7}}
      - wait: {listen: {to: {one: {with: {type: paid}, correlate: {order: {from: .data.order, expect: '${ .order }'}}}}}}
    """
    And given the event:
    """yaml
    {id: '1', source: /pay, type: paid, data: {order: 6}}
    """
    And given the event:
    """yaml
    {id: '2', source: /pay, type: paid, data: {order: 7, sum: 3}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [{order: 7, sum: 3}]
    """

  Scenario: Listen gives the whole event if asked
    Given a workflow with definition:
    """yaml
    do:
      - wait: {listen: {to: {one: {with: {type: 'pa.*', data: '${ .sum > 1 }'}}}, read: envelope}, output: {as: '.[0] | [.id, .data.sum]'}}
    """
    And given the event:
    """yaml
    {id: '1', source: /pay, type: paid, data: {sum: 1}}
    """
    And given the event:
    """yaml
    {id: '2', source: /pay, type: paid, data: {sum: 3}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    ['2', 3]
    """

  Scenario: An event that never comes is cut off by the time limit
    Given a workflow with definition:
    """yaml
    do:
      - careful:
          try: [{wait: {listen: {to: {one: {with: {type: paid}}}}, timeout: {after: {seconds: 5}}}}]
          catch: {do: [{late: {set: {late: true}}}]}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {late: true}
    """
    And it should take 5 seconds

  Scenario: The order of a purchase
    Given a workflow with definition:
    """yaml
    do:
      - sources:
          fork:
            branches:
              - customer:
                  try: [{ask: {call: http, with: {method: get, endpoint: 'http://crm/{customer}'}}}]
                  catch: {errors: {with: {status: 503}}, retry: {delay: PT1S, limit: {attempt: {count: 5}}}}
              - order: {call: http, with: {method: get, endpoint: 'http://orders/{order}'}, metadata: {decode: xml}, output: {as: .order}}
      - blend: {set: {name: '${ .[0].name }', score: '${ .[0].score }', total: '${ .[1].total | tonumber }'}}
      - decide:
          switch:
            - risk: {when: .score < 10, then: risk}
            - loyal: {then: loyal}
      - risk: {set: '${ . + {kind: "at risk"} }', then: store}
      - loyal: {set: '${ . + {kind: "loyal"} }'}
      - store: {call: http, with: {method: put, endpoint: 'http://crm/purchases', body: '${ . }'}, output: {as: $input}}
    """
    And given the workflow input is:
    """yaml
    {customer: 3, order: 8}
    """
    And given the calls to 'http://crm/3' answer:
    """yaml
    [{status: 503}, {status: 503}, {body: {name: Ann, score: 4}}]
    """
    And given the calls to 'http://orders/8' answer:
    """yaml
    [{type: text/xml, body: '<order id="8"><total>12.5</total></order>'}]
    """
    And given the calls to 'http://crm/purchases' answer:
    """yaml
    [{status: 204}]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {name: Ann, score: 4, total: 12.5, kind: at risk}
    """
    And it should take 2 seconds
    And the calls to 'http://crm/purchases' should number 1
