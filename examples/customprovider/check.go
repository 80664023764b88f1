package customprovider

import (
	"crypto/hmac"
	"strconv"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Check is the gate's side: it returns what a login is for, or false.
func Check(key provider.Secret, username, password string, now time.Time) (project string, access provider.Access, ok bool) {
	parts := strings.Split(username, ".")
	if !hmac.Equal([]byte(password), []byte(sign(key, username))) || len(parts) != 3 || access.UnmarshalText([]byte(parts[1])) != nil {
		return "", 0, false
	}
	expires, err := strconv.ParseInt(parts[2], 10, 64)
	return parts[0], access, err == nil && now.Unix() < expires
}
