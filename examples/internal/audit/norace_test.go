//go:build !race

package audit_test

// raced says that pools forget at random.
const raced = false
