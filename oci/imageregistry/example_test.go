package imageregistry_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

func Example() {
	images := imageregistry.New(func(_ *http.Request, a imageregistry.Access) *imageregistry.Error {
		if a.Repository == "hello" || a.Action == imageregistry.Ping {
			return nil
		}
		return &imageregistry.Error{Status: http.StatusForbidden, Code: "DENIED", Message: "only hello is yours"}
	})
	server := httptest.NewServer(images)
	defer server.Close()
	host := server.Listener.Addr().String()

	if err := crane.Push(empty.Image, host+"/hello:v1"); err != nil {
		log.Fatal(err)
	}
	tags, err := crane.ListTags(host + "/hello")
	fmt.Println(tags, err)
	_, err = crane.Manifest(host + "/other:v1")
	_, said, _ := strings.Cut(err.Error(), "DENIED: ")
	fmt.Println(said)
	// Output:
	// [v1] <nil>
	// only hello is yours
}
