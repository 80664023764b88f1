// Package tokenauthtest doubles the token servers of registries, each with a registry that takes its tokens, on loopback: for tests of whoever asks them.
//
//	s := tokenauthtest.NewServer(tokenauthtest.Config{Kind: tokenauthtest.Harbor, Accounts: []tokenauthtest.Account{
//		{Username: "robot$rise", Password: "correct-horse", Rights: map[string][]string{"rise-apps/*": {"pull", "push"}}},
//	}})
//	defer s.Close()
//	p, err := tokenauth.New(tokenauth.Config{RegistryURL: s.RegistryHost, Namespace: "rise-apps", Username: "robot$rise", Password: …})
//
// They behave as documented, or as the code says where that is open, in what they narrow, what their tokens claim, what their answers have, and how they refuse:
//
//	GitLab     exactly what is asked and allowed; {"token"}; five minutes; on another host than the registry
//	Harbor     all that the account may do on the asked repository, whatever is asked; expires_in and issued_at; half an hour; a wrong password
//	           is answered with a token for nothing
//	Quay       exactly what is asked and allowed; {"token"}; an hour; being asked for push makes the repository
//	DockerHub  exactly what is asked and allowed; everything in the answer; five minutes; on another host than the registry
//	ACR        exactly what is asked and allowed; {"access_token"}; 75 minutes; also a form, with a refresh token that Entra's token is exchanged for
//	GHCR       opaque, good for all that the account may do
//	Gitea      a JWT without access, good for all that the account may do
//	Nexus      opaque, likewise
//	Google     opaque, likewise
//
// The registry is one in memory, or any other that trusts the double's certificate: see [Server.Authority] and [Server.Proxy].
package tokenauthtest
