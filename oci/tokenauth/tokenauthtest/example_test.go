package tokenauthtest_test

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/tokenauthtest"
)

// What Harbor answers a robot account that may do more than it asks for.
func Example() {
	s := tokenauthtest.NewServer(tokenauthtest.Config{Kind: tokenauthtest.Harbor, Accounts: []tokenauthtest.Account{
		{Username: "robot$rise", Password: "correct-horse", Rights: map[string][]string{"apps/*": {"pull", "push"}}},
	}})
	defer s.Close()
	r, err := http.NewRequest(http.MethodGet, s.TokenURL+"?service="+s.Service()+"&scope=repository:apps/hello:pull", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	r.SetBasicAuth("robot$rise", "correct-horse")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = response.Body.Close() }()
	var answer map[string]any
	err = json.NewDecoder(response.Body).Decode(&answer)
	fmt.Println(response.StatusCode, answer["expires_in"], err)
	fmt.Println(s.Requests()[0].Username, s.Requests()[0].Scopes)
	// Output:
	// 200 1800 <nil>
	// robot$rise [repository:apps/hello:pull]
}
