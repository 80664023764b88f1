//go:build !race

package tokenauth_test

const some = 1
