package config

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"idp/internal/secret"
)

// maxSecret bounds a secret file, in bytes.
const maxSecret = 16 << 10

// ReadSecret reads the first line of a file that holds a password or a client
// secret; "-" is standard input.
func ReadSecret(path string) (secret.String, error) {
	in := io.Reader(os.Stdin)
	if path != "-" {
		f, err := os.Open(path) //nolint:gosec // the admin names the files
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	scanner := bufio.NewScanner(io.LimitReader(in, maxSecret))
	if !scanner.Scan() || scanner.Text() == "" {
		return "", fmt.Errorf("%s: the first line is empty", path)
	}
	return secret.String(scanner.Text()), nil
}
