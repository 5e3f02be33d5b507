Feature: Loops

  Scenario: A loop without items gives its input
    Given a workflow with definition:
    """yaml
    do:
      - loop:
          for: {in: .items}
          do:
            - never: {set: {x: 1}}
    """
    And given the workflow input is:
    """yaml
    {items: [], kept: 1}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {items: [], kept: 1}
    """
    And loop should run last

  Scenario: While is asked before each round, with item and index
    Given a workflow with definition:
    """yaml
    do:
      - loop:
          for: {each: n, at: i, in: '${ [1, 2, 3, 4] }'}
          while: $i < 2 and (.sum // 0) < 10
          do:
            - add:
                set: {sum: '${ (.sum // 0) + $n }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {sum: 3}
    """
    And add should run 2 times

  Scenario: Exit ends the round and not the loop
    Given a workflow with definition:
    """yaml
    do:
      - loop:
          for: {in: '${ [1, 2] }'}
          do:
            - one: {set: {n: '${ $item }'}, then: exit}
            - two: {set: {n: wrong}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {n: 2}
    """
    And one should run 2 times

  Scenario: What is no list is an expression error
    Given a workflow with definition:
    """yaml
    do:
      - loop: {for: {in: .x}, do: []}
    """
    And given the workflow input is:
    """yaml
    {x: 5}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://serverlessworkflow.io/spec/1.0.0/errors/expression', status: 400, instance: /do/0/loop}
    """

  Scenario: End inside a loop ends the run, and the outputs on the way are filtered
    Given a workflow with definition:
    """yaml
    do:
      - loop:
          for: {in: '${ [1, 2, 3] }'}
          do:
            - one: {set: {n: '${ $item }'}, then: end}
          output: {as: '{loop: .}'}
      - never: {set: {x: 1}}
    output: {as: '{run: .}'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {run: {loop: {n: 1}}}
    """
    And one should run last

  Scenario: A loop that jumps back goes on with a name of its own
    Given a workflow with definition:
    """yaml
    do:
      - count: {set: {n: '${ (.n // 0) + 1 }'}}
      - again:
          switch:
            - more: {when: .n < 400, then: count}
            - done: {then: end}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {n: 400}
    """
    And count should run 400 times

  Scenario: An empty list gives its input
    Given a workflow with definition:
    """yaml
    do:
      - nothing: {do: []}
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
