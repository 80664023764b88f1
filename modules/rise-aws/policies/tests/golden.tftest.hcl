# Every case of testdata/policies, as ecr/iampolicy's tests have them.

run "china" {
  command = plan

  module {
    source = "./tests/case"
  }

  variables {
    case = "china"
  }

  assert {
    condition     = length(output.different) == 0
    error_message = "not as in testdata/policies/china: ${join(", ", output.different)}"
  }

  assert {
    condition     = output.compared == 6
    error_message = "compared ${output.compared} documents"
  }
}

run "everything" {
  command = plan

  module {
    source = "./tests/case"
  }

  variables {
    case = "everything"
  }

  assert {
    condition     = length(output.different) == 0
    error_message = "not as in testdata/policies/everything: ${join(", ", output.different)}"
  }

  assert {
    condition     = output.compared == 9
    error_message = "compared ${output.compared} documents"
  }
}

run "irsa" {
  command = plan

  module {
    source = "./tests/case"
  }

  variables {
    case = "irsa"
  }

  assert {
    condition     = length(output.different) == 0
    error_message = "not as in testdata/policies/irsa: ${join(", ", output.different)}"
  }

  assert {
    condition     = output.compared == 6
    error_message = "compared ${output.compared} documents"
  }
}

run "minimal" {
  command = plan

  module {
    source = "./tests/case"
  }

  variables {
    case = "minimal"
  }

  assert {
    condition     = length(output.different) == 0
    error_message = "not as in testdata/policies/minimal: ${join(", ", output.different)}"
  }

  assert {
    condition     = output.compared == 7
    error_message = "compared ${output.compared} documents"
  }
}

run "outside" {
  command = plan

  module {
    source = "./tests/case"
  }

  variables {
    case = "outside"
  }

  assert {
    condition     = length(output.different) == 0
    error_message = "not as in testdata/policies/outside: ${join(", ", output.different)}"
  }

  assert {
    condition     = output.compared == 7
    error_message = "compared ${output.compared} documents"
  }
}

run "pod-identity" {
  command = plan

  module {
    source = "./tests/case"
  }

  variables {
    case = "pod-identity"
  }

  assert {
    condition     = length(output.different) == 0
    error_message = "not as in testdata/policies/pod-identity: ${join(", ", output.different)}"
  }

  assert {
    condition     = output.compared == 6
    error_message = "compared ${output.compared} documents"
  }
}

run "us-gov" {
  command = plan

  module {
    source = "./tests/case"
  }

  variables {
    case = "us-gov"
  }

  assert {
    condition     = length(output.different) == 0
    error_message = "not as in testdata/policies/us-gov: ${join(", ", output.different)}"
  }

  assert {
    condition     = output.compared == 8
    error_message = "compared ${output.compared} documents"
  }
}

run "services" {
  command = plan

  module {
    source = "./tests/case"
  }

  variables {
    case = "services"
  }

  assert {
    condition     = length(output.different) == 0
    error_message = "not as in testdata/policies/services: ${join(", ", output.different)}"
  }

  assert {
    condition     = output.compared == 6
    error_message = "compared ${output.compared} documents"
  }
}

run "shared" {
  command = plan

  module {
    source = "./tests/case"
  }

  variables {
    case = "shared"
  }

  assert {
    condition     = length(output.different) == 0
    error_message = "not as in testdata/policies/shared: ${join(", ", output.different)}"
  }

  assert {
    condition     = output.compared == 8
    error_message = "compared ${output.compared} documents"
  }
}

run "shared-one" {
  command = plan

  module {
    source = "./tests/case"
  }

  variables {
    case = "shared-one"
  }

  assert {
    condition     = length(output.different) == 0
    error_message = "not as in testdata/policies/shared-one: ${join(", ", output.different)}"
  }

  assert {
    condition     = output.compared == 6
    error_message = "compared ${output.compared} documents"
  }
}
