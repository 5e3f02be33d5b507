Feature: Data

  Scenario: A skipped task does not end the run
    Given a workflow with definition:
    """yaml
    do:
      - skipped: {if: .no, set: {x: 1}, then: end}
      - next: {set: '${ . + {y: 1} }'}
    """
    And given the workflow input is:
    """yaml
    {no: false}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {no: false, y: 1}
    """
    And next should run first

  Scenario: Export replaces the context and sees the filtered output
    Given a workflow with definition:
    """yaml
    input: {from: .order}
    do:
      - first: {set: {a: '${ $context.id }', b: 2}, output: {as: .b}, export: {as: '{out: ., was: $context.id}'}}
      - then: {set: {context: '${ $context }', raw: '${ . }', all: '${ $workflow.input.order.id }'}}
    """
    And given the workflow input is:
    """yaml
    {order: {id: 7}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {context: {out: 2, was: 7}, raw: 2, all: 7}
    """

  Scenario: Data that does not fit its schema is an error with its place
    Given a workflow with definition:
    """yaml
    input: {schema: {document: {type: object, required: [id], properties: {id: {type: integer}}}}}
    do: [{next: {set: {}}}]
    """
    And given the workflow input is:
    """yaml
    {id: x}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://serverlessworkflow.io/spec/1.0.0/errors/validation', status: 400}
    """

  Scenario: Schemas of tasks are checked before filters
    Given a workflow with definition:
    """yaml
    do:
      - next:
          input: {schema: {document: {type: object}}, from: .a}
          set: '${ . }'
          output: {schema: {document: {type: string}}}
    """
    And given the workflow input is:
    """yaml
    {a: 5}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://serverlessworkflow.io/spec/1.0.0/errors/validation', instance: /do/0/next}
    """

  Scenario: Expressions in data are never evaluated
    Given a workflow with definition:
    """yaml
    do:
      - copy: {set: {text: '${ .text }'}}
      - again: {set: '${ . }'}
    """
    And given the workflow input is:
    """yaml
    {text: '${ 1 + 1 }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {text: '${ 1 + 1 }'}
    """

  Scenario: What the fast way does not allow is asked of the helper
    Given a workflow with definition:
    """yaml
    do:
      - first: {set: {n: '${ [limit(3; repeat(1))] | length }'}}
      - second: {set: {n: '${ .n + ([limit(2; repeat(1))] | length) }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {n: 5}
    """

  Scenario: Task and time are known to expressions
    Given a workflow with definition:
    """yaml
    do:
      - named: {set: {name: '${ $task.name }', at: '${ $task.reference }', iso: '${ $task.startedAt.iso8601 }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {name: named, at: /do/0/named, iso: '2023-11-14T22:13:20.000Z'}
    """
