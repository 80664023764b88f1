package credentialhelper

const usage = `docker-credential-rise: docker's credential helper for a service with a credentials endpoint

  docker-credential-rise configure …   say whose credentials are wanted, and have clients ask for them; configure --help
  docker-credential-rise get           what clients call: reads a registry's host, asks the service, prints the credential as JSON
  docker-credential-rise list          the registries that it answers for, without asking anybody
  docker-credential-rise store, erase  nothing, for docker login and docker logout: nothing is ever kept
  docker-credential-rise --version
  docker-credential-rise --help

For every other registry it answers "credentials not found in native keychain" without any network, and clients go on with the login that
they have.

It is configured by ~/.config/rise/credential.yaml ($XDG_CONFIG_HOME/rise/credential.yaml), which configure writes:

  hosts:
    registry.example.com:
      url: https://rise.example.com
      project: hello
      access: push                      # or pull
      token_file: /home/me/.rise-token  # or token_variable, token_command, github_audience, token

or, where RISE_URL is set, by the environment alone:

  RISE_URL             the service
  RISE_REGISTRY        the registry's host as in images' names
  RISE_PROJECT         whose repository the credentials are for
  RISE_ACCESS          push (the default) or pull
  RISE_TOKEN_FILE      the token by which the service knows you is in this file,
  RISE_TOKEN           or is this,
  RISE_TOKEN_VARIABLE  or is in the variable of this name (a GitLab job's id_tokens),
  RISE_AUDIENCE        or is the GitHub Actions job's own, for this audience
  RISE_CA_FILE         authorities that the service's certificate is trusted by
  RISE_INSECURE        true allows http:// to another machine

Without RISE_URL, RISE_PROJECT and RISE_ACCESS go over those of the file; with several registries there, RISE_REGISTRY says for which.

Examples:
  docker-credential-rise configure --registry registry.example.com --url https://rise.example.com --project hello --token-file ~/.rise-token
  docker push registry.example.com/hello:v1
  RISE_PROJECT=other docker push registry.example.com/other:v1
  docker-credential-rise configure --registry registry.example.com --undo

Exit codes: 0; 1, no credential, or something stands in the way (it says what, on the standard output for clients, and on the error output);
2, called wrongly.
`
