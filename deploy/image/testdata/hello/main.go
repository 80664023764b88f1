// Hello is a program that a test packs.
package main

import "os"

func main() {
	if _, err := os.Stdout.WriteString("hello from the image, " + os.Getenv("GREETING") + "\n"); err != nil {
		os.Exit(1)
	}
}
