package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"idp/internal/config"
	"idp/internal/secret"
)

// ReadSecret reads the secret that a flag names a file for: its first line, or with
// "-" that of standard input. Where that is a terminal, the secret is asked for under
// the name of what and not shown; a new one (fresh) twice, for nobody saw what was typed.
func ReadSecret(cmd *cobra.Command, file, what string, fresh bool) (secret.String, error) {
	if fd := int(os.Stdin.Fd()); file == "-" && term.IsTerminal(fd) {
		return typed(cmd.Context(), fd, cmd.ErrOrStderr(), what, fresh)
	}
	return config.ReadSecret(file)
}

// typed asks at the terminal fd. In raw mode Ctrl-C is a byte to us and no signal, so
// every way out of here but SIGKILL puts the terminal back as it was.
func typed(ctx context.Context, fd int, prompts io.Writer, what string, twice bool) (secret.String, error) {
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", fmt.Errorf("the terminal would show the %s: %w", what, err)
	}
	defer func() { _ = term.Restore(fd, before) }()
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{os.Stdin, prompts}, "")
	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // until it is answered, or the process ends
		text, err := asked(t, what, twice)
		answered <- answer{text, err}
	}()
	select {
	case a := <-answered:
		return secret.String(a.text), a.err
	case <-ctx.Done():
		_, _ = io.WriteString(prompts, "\r\n")
		return "", errNothingTyped
	}
}

// asked are the questions.
func asked(t *term.Terminal, what string, twice bool) (string, error) {
	text, err := t.ReadPassword(what + ": ")
	switch {
	case err != nil: // Ctrl-C, or Ctrl-D on an empty line
		return "", errNothingTyped
	case text == "":
		return "", fmt.Errorf("the %s is empty", what)
	case !twice:
		return text, nil
	}
	again, err := t.ReadPassword("the same again: ")
	switch {
	case err != nil:
		return "", errNothingTyped
	case again != text:
		return "", fmt.Errorf("the second %s is not the first; nothing was changed", what)
	}
	return text, nil
}

var errNothingTyped = errors.New("nothing was typed, and nothing was done")
