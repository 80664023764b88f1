package reach

import (
	"net/url"

	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// Upload makes f, a passed finding about an upload that was started, one about where its answer's Location has it go on, if clients can't follow.
// from is the URL that was asked to start it.
func Upload(f diagnosis.Finding, from *url.URL, location string) diagnosis.Finding {
	problem := func(status diagnosis.Status, what, remedy string) diagnosis.Finding {
		f.Status, f.Summary, f.Remedy = status, f.Summary+"; but "+what, remedy
		return f
	}
	to, err := from.Parse(location)
	switch {
	case location == "" || err != nil:
		return problem(diagnosis.Failed, "its answer has no Location that is a URL, where clients would go on", "look at the registry, and what a proxy before it does to headers of answers")
	case from.Scheme == "https" && to.Scheme != "https":
		return problem(diagnosis.Failed, "it goes on at a URL of plain HTTP, where docker, podman and skopeo fail (crane hides it)",
			"let the proxy before the registry send X-Forwarded-Proto: https (nginx: proxy_set_header X-Forwarded-Proto $scheme;),\n"+
				"or set http.host to https://"+from.Host+" in the configuration of distribution's registry")
	case hostPort(to) != hostPort(from):
		return problem(diagnosis.Warned, "it goes on at another host than the registry's, where clients may have no login",
			"let the proxy before the registry send Host as clients sent it (nginx: proxy_set_header Host $http_host;), if it is the registry's own")
	}
	return f
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Hostname() + ":" + port
}
