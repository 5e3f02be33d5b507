Feature: Errors

  Scenario: Retries are counted, delays grow, and keys change after an answer
    Given a workflow with definition:
    """yaml
    use:
      retries:
        policy: {delay: {seconds: 1}, backoff: {exponential: {}}, limit: {attempt: {count: 3}}}
    do:
      - careful:
          try:
            - pay: {call: http, with: {method: post, endpoint: 'http://pay/charge', body: {sum: '${ .sum }'}}}
          catch: {retry: policy}
    """
    And given the workflow input is:
    """yaml
    {sum: 5}
    """
    And given the calls to 'http://pay/charge' answer:
    """yaml
    [{status: 500}, {status: 500}, {status: 500}, {body: {paid: true}}]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {paid: true}
    """
    And the calls to 'http://pay/charge' should number 4
    And the calls to 'http://pay/charge' should have different keys
    And it should take 7 seconds

  Scenario: The key stays if no answer came
    Given a workflow with definition:
    """yaml
    do:
      - careful:
          try:
            - pay: {call: http, with: {method: post, endpoint: 'http://pay/charge'}}
          catch: {retry: {delay: {seconds: 2}, backoff: {linear: {}}}}
    """
    And given the calls to 'http://pay/charge' answer:
    """yaml
    [{failed: reset, ambiguous: true}, {failed: reset, ambiguous: true}, {body: {paid: true}}]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {paid: true}
    """
    And the calls to 'http://pay/charge' should have the same key
    And it should take 6 seconds

  Scenario: When retries are used up the handler runs, and goes on as catch says
    Given a workflow with definition:
    """yaml
    do:
      - careful:
          try:
            - ask: {call: http, with: {method: get, endpoint: 'http://crm/x'}}
          catch:
            as: problem
            retry: {delay: PT1S, limit: {attempt: {count: 1}}}
            do:
              - handled: {set: {status: '${ $problem.status }', was: '${ .was }'}}
            then: last
      - never: {set: {}}
      - last: {set: '${ . + {last: true} }'}
    """
    And given the workflow input is:
    """yaml
    {was: 1}
    """
    And given the calls to 'http://crm/x' answer:
    """yaml
    [{status: 503}]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {status: 503, was: 1, last: true}
    """
    And the calls to 'http://crm/x' should number 2
    And ask should run 2 times

  Scenario: What is caught and not handled gives the input
    Given a workflow with definition:
    """yaml
    do:
      - careful:
          try: [{breaks: {raise: {error: {type: 'https://example.org/x', status: 400}}}}]
          catch: {}
    """
    And given the workflow input is:
    """yaml
    {a: 1}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {a: 1}
    """

  Scenario: Guards decide what is caught
    Given a workflow with definition:
    """yaml
    do:
      - outer:
          try:
            - inner:
                try: [{breaks: {raise: {error: {type: 'https://example.org/x', status: 418}}}}]
                catch: {exceptWhen: $error.status == 418}
          catch:
            errors: {with: {status: 418}}
            when: .a == 1
            do: [{told: {set: {by: outer, at: '${ $error.instance }'}}}]
    """
    And given the workflow input is:
    """yaml
    {a: 1}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {by: outer, at: /do/0/outer/try/0/inner/try/0/breaks}
    """

  Scenario: An error in a handler is not caught by its own try
    Given a workflow with definition:
    """yaml
    do:
      - careful:
          try: [{breaks: {raise: {error: {type: 'https://example.org/one', status: 400}}}}]
          catch: {do: [{again: {raise: {error: {type: 'https://example.org/two', status: 500}}}}]}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://example.org/two', instance: /do/0/careful/catch/do/0/again}
    """

  Scenario: A named error with expressions
    Given a workflow with definition:
    """yaml
    use: {errors: {broken: {type: 'https://example.org/broken', status: 422, title: '${ "No \(.thing)" }'}}}
    do:
      - breaks: {raise: {error: broken}}
    """
    And given the workflow input is:
    """yaml
    {thing: milk}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://example.org/broken', status: 422, title: No milk, instance: /do/0/breaks}
    """

  Scenario: A retry starts with the context of the first attempt
    Given a workflow with definition:
    """yaml
    do:
      - start: {set: {n: 0}, export: {as: '{n: 0}'}}
      - careful:
          try:
            - count: {set: {}, export: {as: '{n: ($context.n + 1)}'}}
            - ask: {call: http, with: {method: get, endpoint: 'http://crm/x'}}
          catch: {retry: {}}
      - show: {set: '${ $context }'}
    """
    And given the calls to 'http://crm/x' answer:
    """yaml
    [{status: 500}, {status: 500}, {}]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {n: 1}
    """
    And count should run 3 times

  Scenario: The whole time of retries is limited
    Given a workflow with definition:
    """yaml
    do:
      - careful:
          try: [{ask: {call: http, with: {method: get, endpoint: 'http://crm/x'}}}]
          catch: {retry: {delay: PT4S, limit: {duration: PT10S}}}
    """
    And given the calls to 'http://crm/x' answer:
    """yaml
    [{status: 500}]
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {status: 500}
    """
    And the calls to 'http://crm/x' should number 3
