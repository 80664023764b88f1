// Package program is the program pull-secrets: its command line, what it serves, and how it ends.
package program
