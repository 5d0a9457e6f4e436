package user

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"idp/internal/store"
	"idp/internal/user"
)

// Bounds of a file to import.
const (
	maxImport     = 100_000 // users
	maxImportLine = 64 << 10
	maxImportSaid = 50 // problems that are printed
)

// importedUser is a line of the file; the names are those of users in the configuration.
type importedUser struct {
	Name          string           `json:"name"`
	FullName      string           `json:"full_name"`
	Email         string           `json:"email"`
	EmailVerified bool             `json:"email_verified"`
	Groups        []string         `json:"groups"`
	Claims        store.UserClaims `json:"claims"`
	Hash          string           `json:"hash"`
}

func (c commands) importFile() *cobra.Command {
	dry := false
	cmd := &cobra.Command{
		Use: "import FILE|-", Short: "Make local users from a file, with the password hashes of other software", Args: cobra.ExactArgs(1),
		Long: "Make users from a file with a JSON object in each line: name and, as far as they are known, full_name, email,\n" +
			"email_verified, groups, claims, and hash, as the software before had it: argon2id, bcrypt, PBKDF2 (SHA-256 or\n" +
			"SHA-512; Django's or passlib's), scrypt, {SSHA}, {SSHA256}, {SSHA512}, {CRYPT} with bcrypt. People log in with the\n" +
			"password they have, and their hash is replaced by one of idp's. Who has no hash needs idp user invite.\n" +
			"All users are made, or none, and every problem is printed with its line.",
		Example: "  {\"name\": \"bob\", \"email\": \"bob@example.com\", \"groups\": [\"partners\"], \"hash\": \"$2y$10$…\"}",
		RunE: c.withStore(func(o opened, args []string) error {
			in := io.Reader(o.Cmd.InOrStdin())
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			users, slow, err := o.readImport(in)
			if err != nil {
				return err
			}
			return o.importUsers(users, slow, dry)
		}),
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "read and check the file, and make nobody")
	return cmd
}

// readImport reads all lines, and says what is wrong with each.
func (o opened) readImport(in io.Reader) (users []store.User, slow bool, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxImportLine)
	seen := map[string]int{}
	bad, n := 0, 0
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		u, isSlow, err := o.readImported(lines.Bytes())
		if first := seen[strings.ToLower(u.Name)]; err == nil && first > 0 {
			err = fmt.Errorf("%q is in line %d, too", u.Name, first)
		}
		if err != nil {
			if bad++; bad <= maxImportSaid {
				fmt.Fprintf(o.Cmd.ErrOrStderr(), "line %d: %s\n", n, strings.ReplaceAll(err.Error(), "\n", "; "))
			}
			continue
		}
		seen[strings.ToLower(u.Name)] = n
		users, slow = append(users, u), slow || isSlow
	}
	switch err := lines.Err(); {
	case err != nil:
		return nil, false, fmt.Errorf("line %d: %w", n+1, err)
	case bad > 0:
		return nil, false, fmt.Errorf("%d line(s) cannot be imported; nobody was made", bad)
	case len(users) == 0 || len(users) > maxImport:
		return nil, false, fmt.Errorf("%d users; want 1 to %d", len(users), maxImport)
	}
	return users, slow, nil
}

// readImported reads and judges one line.
func (o opened) readImported(line []byte) (u store.User, slow bool, err error) {
	var in importedUser
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return u, false, fmt.Errorf("not a user as JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return u, false, errors.New("more than one JSON object")
	}
	u = store.User{Name: in.Name, FullName: in.FullName, Email: in.Email, EmailVerified: in.EmailVerified, Groups: in.Groups, Claims: in.Claims, PasswordHash: in.Hash}
	var problems []error
	if in.Hash != "" {
		if slow, err = user.CheckHash(in.Hash); err != nil {
			if errors.Is(err, user.ErrCostly) {
				err = fmt.Errorf("%w; leave the hash out, and invite this user", err)
			}
			problems = append(problems, fmt.Errorf("hash: %w", err))
		}
	}
	if in.Email != "" && !strings.Contains(in.Email, "@") {
		problems = append(problems, fmt.Errorf("email: %q is not a mail address", in.Email))
	}
	problems = append(problems, user.CheckName(in.Name), o.free(in.Name), user.CheckClaims(in.Claims))
	return u, slow, errors.Join(problems...)
}

// free reports whether a name can be had.
func (o opened) free(name string) error {
	if _, err := o.Store.UserByName(o.Ctx, name); err == nil {
		return fmt.Errorf("name: %q is taken", name)
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return o.ownName(name)
}

func (o opened) importUsers(users []store.User, slow, dry bool) error {
	with := 0
	for _, u := range users {
		if u.PasswordHash != "" {
			with++
		}
	}
	out := o.Cmd.OutOrStdout()
	if dry {
		fmt.Fprintf(out, "%d users can be imported, %d of them with a password\n", len(users), with)
		return nil
	}
	if err := o.Store.ImportUsers(o.Ctx, users, slow, store.Entry{Actor: o.Actor}); err != nil {
		return fmt.Errorf("%w; nobody was made", err)
	}
	fmt.Fprintf(out, "%d users made, %d of them with a password\n", len(users), with)
	if slow {
		fmt.Fprintln(out, "some hashes take long to check: a wrong password is answered after 1.5 s from now on, whoever's it is")
	}
	return nil
}
