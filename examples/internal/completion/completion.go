// Package completion has shells complete the programs' arguments: a shell runs the program itself, with the line so far in its environment.
package completion

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/posener/complete"
)

// Shells are those that [Script] knows.
var Shells = []string{"bash", "zsh", "fish"}

// lineSoFar is the variable by which bash asks, and whoever speaks as it does.
const lineSoFar = "COMP_LINE"

// Asked reports whether a shell runs this program to complete a line.
func Asked() bool { return os.Getenv(lineSoFar) != "" }

// Answer writes what may come next on that line.
func Answer(program string, command complete.Command, w io.Writer) {
	c := complete.New(program, command)
	c.Out = w
	c.Complete()
}

// Script returns what a shell has to be told, for a program that is called by this name and is at path.
func Script(shell, program, path string) (string, error) {
	if strings.ContainsAny(program, " \t'\"\\$`") {
		return "", fmt.Errorf("completion is for a program of its own: %q is none", program)
	}
	quoted := "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	const standard = "complete -o default -o bashdefault -C "
	switch shell {
	case "bash":
		return standard + doubly(quoted) + " " + program + "\n", nil
	case "zsh":
		return "autoload -U +X bashcompinit && bashcompinit\n" + standard + doubly(quoted) + " " + program + "\n", nil
	case "fish":
		return fmt.Sprintf(`function __complete_%[1]s
    set -lx COMP_LINE (commandline -cp)
    test -z (commandline -ct); and set COMP_LINE "$COMP_LINE "
    %[2]s
end
complete -f -c %[3]s -a "(__complete_%[1]s)"
`, strings.Map(underscore, program), "'"+strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(path)+"'", program), nil
	}
	return "", fmt.Errorf("the shell must be %s", strings.Join(Shells[:2], ", ")+" or "+Shells[2])
}

// doubly quotes what a shell is given as a word and runs as a command later.
func doubly(quoted string) string { return "'" + strings.ReplaceAll(quoted, "'", `'\''`) + "'" }

// underscore is in place of what no function's name has.
func underscore(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
		return r
	}
	return '_'
}
