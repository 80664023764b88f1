//go:build race

package ecr_test

const raceEnabled = true
