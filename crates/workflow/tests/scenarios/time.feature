Feature: Time

  Scenario: A wait takes its time and keeps the data
    Given a workflow with definition:
    """yaml
    do:
      - pause: {wait: '${ .pause }'}
    """
    And given the workflow input is:
    """yaml
    {pause: PT1M30S}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {pause: PT1M30S}
    """
    And it should take 90 seconds

  Scenario: A task that takes too long is an error that can be caught
    Given a workflow with definition:
    """yaml
    use: {timeouts: {short: {after: {seconds: 2}}}}
    do:
      - careful:
          try:
            - slow: {do: [{pause: {wait: {minutes: 1}}}], timeout: short}
          catch:
            errors: {with: {type: 'https://serverlessworkflow.io/spec/1.0.0/errors/timeout', status: 408}}
            do: [{late: {set: {at: '${ $error.instance }'}}}]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {at: /do/0/careful/try/0/slow}
    """
    And it should take 2 seconds

  Scenario: The time of a run is limited, and nothing catches that
    Given a workflow with definition:
    """yaml
    timeout: {after: {seconds: 3}}
    do:
      - careful: {try: [{pause: {wait: {minutes: 1}}}], catch: {}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://serverlessworkflow.io/spec/1.0.0/errors/timeout', status: 408}
    """
    And it should take 3 seconds

  Scenario: Each attempt has its own limit
    Given a workflow with definition:
    """yaml
    do:
      - careful:
          try: [{pause: {wait: {seconds: 9}}}]
          catch:
            retry: {limit: {attempt: {count: 2, duration: PT2S}}}
            do: [{late: {set: {late: true}}}]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {late: true}
    """
    And it should take 6 seconds
    And pause should run 3 times
