Feature: Branches

  Scenario: Branches give their outputs in declared order
    Given a workflow with definition:
    """yaml
    do:
      - both:
          fork:
            branches:
              - slow: {do: [{pause: {wait: {seconds: 5}}}, {name: {set: {slow: true}}}]}
              - quick: {set: {quick: '${ .x }'}}
              - skipped: {if: 'false', set: {}}
    """
    And given the workflow input is:
    """yaml
    {x: 1}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [{slow: true}, {quick: 1}, null]
    """
    And it should take 5 seconds

  Scenario: The first branch that succeeds wins
    Given a workflow with definition:
    """yaml
    do:
      - race:
          fork:
            compete: true
            branches:
              - breaks: {raise: {error: {type: 'https://example.org/x', status: 500}}}
              - slow: {do: [{long: {wait: {seconds: 9}}}, {a: {set: {won: slow}}}]}
              - quick: {do: [{short: {wait: {seconds: 2}}}, {b: {set: {won: quick}}}]}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {won: quick}
    """
    And it should take 2 seconds

  Scenario: If all that compete fail, the first error counts
    Given a workflow with definition:
    """yaml
    do:
      - race:
          fork:
            compete: true
            branches:
              - one: {raise: {error: {type: 'https://example.org/one', status: 501}}}
              - two: {raise: {error: {type: 'https://example.org/two', status: 502}}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://example.org/one', status: 501, instance: /do/0/race/fork/branches/0/one}
    """

  Scenario: A branch that fails ends the others
    Given a workflow with definition:
    """yaml
    do:
      - both:
          fork:
            branches:
              - long: {wait: {minutes: 5}}
              - fails: {do: [{pause: {wait: {seconds: 1}}}, {breaks: {raise: {error: {type: 'https://example.org/x', status: 500}}}}]}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://example.org/x', instance: /do/0/both/fork/branches/1/fails/do/1/breaks}
    """
    And it should take 1 seconds

  Scenario: Each branch has its own context, and what they changed comes together
    Given a workflow with definition:
    """yaml
    do:
      - start: {set: {}, export: {as: '{kept: 1, a: 0}'}}
      - both:
          fork:
            branches:
              - left: {set: {}, export: {as: '$context + {a: 1}'}}
              - right: {set: {}, export: {as: '$context + {b: ($context.a + 10)}'}}
      - show: {set: '${ $context }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {kept: 1, a: 1, b: 10}
    """

  Scenario: End in a branch ends the run with what is there
    Given a workflow with definition:
    """yaml
    do:
      - both:
          fork:
            branches:
              - stops: {set: {done: 1}, then: end}
              - long: {wait: {hours: 1}}
      - never: {set: {}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [{done: 1}, null]
    """
    And it should take 0 seconds
