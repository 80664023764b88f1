package identity_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/identity"
)

var home = identity.Home{Partition: "aws", Account: "123456789012"}

// A policy means whom it named when it was saved, or who came first; nobody who came later under the same name.
func TestBindings(t *testing.T) {
	t.Parallel()
	bindings := identity.NewBindings()
	users := identity.NewUsers(home, bindings)
	role := &identity.Role{ARN: "arn:aws:iam::123456789012:role/r", Account: home.Account}
	save := func() {
		p, err := iam.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole",
			"Principal":{"AWS":"arn:aws:iam::123456789012:user/u"}}}`, iam.Trust)
		require.NoError(t, err)
		bindings.Replace(role.Trust, p)
		role.Trust = p
	}
	add := func() *identity.User {
		u, err := users.Add(identity.UserDefinition{Name: "u"})
		require.NoError(t, err)
		return u
	}
	trusts := func(u *identity.User) bool {
		return role.Trusts(identity.Caller{User: u}.Principal(), "sts:AssumeRole", iam.Context{}).Allowed
	}
	save()
	first := add()
	require.True(t, trusts(first), "the policy waited")
	require.NoError(t, users.Delete("u"))
	second := add()
	require.False(t, trusts(second), "another one of that name")
	save()
	require.True(t, trusts(second), "saved anew")
	require.False(t, trusts(first))
	require.NoError(t, users.Delete("u"))
	save()
	require.False(t, trusts(second), "who is gone isn't named")
	require.True(t, trusts(add()))
}

// Keys and tokens are known for a day after they expired, so that what they are answered is "expired", and not for ever.
func TestExpiredIsForgotten(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	clock := func() time.Time { return now }
	keys := identity.NewKeys(clock)
	tokens := identity.NewTokens(identity.TokenRules{Lifetime: time.Hour}, clock)
	user := &identity.User{}
	own := keys.AddForUser(user)
	key := keys.AddForSession(&identity.Session{Expires: now.Add(time.Hour)})
	token := tokens.Issue(identity.Caller{User: user}, own.ID, "eu-west-1")
	more := func() {
		for range 5000 {
			keys.AddForSession(&identity.Session{Expires: now.Add(time.Hour)})
			tokens.Issue(identity.Caller{User: user}, own.ID, "eu-west-1")
		}
	}
	now = now.Add(24 * time.Hour)
	more()
	require.Same(t, key, keys.ByID(key.ID))
	require.Same(t, token, tokens.ByPassword(token.Password))
	require.True(t, tokens.Expired(token))
	now = now.Add(2 * time.Hour)
	more()
	require.Nil(t, keys.ByID(key.ID))
	require.Nil(t, tokens.ByPassword(token.Password))
	require.Same(t, own, keys.ByID(own.ID), "a user's never expires")
}
