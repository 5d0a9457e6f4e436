package story

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// answer is one answer of the walk through redirects.
type answer struct {
	status int
	header http.Header
}

// walk is what one curl saw.
type walk struct {
	answers []answer
	body    string
	url     string // of the last answer
}

func (w *walk) last() answer { return w.answers[len(w.answers)-1] }

// straight: the walk met nothing but redirects before its last answer.
func (w *walk) straight() bool {
	for _, a := range w.answers[:len(w.answers)-1] {
		if a.status < 300 || a.status > 399 {
			return false
		}
	}
	return true
}

// offers are the schemes of the last answer's WWW-Authenticate header lines.
func (w *walk) offers() []string { return w.last().header.Values("WWW-Authenticate") }

// curl runs curl with a cookie jar, following redirects, and prints the command
// as a reader could type it, then the answers.
func (t *teller) curl(ctx context.Context, jar, target string, args ...string) (*walk, error) {
	fmt.Fprintf(t.Out, "   $ curl -L -b %[1]s -c %[1]s %s\n", filepath.Base(jar), strings.Join(append(quoted(args), shown(target)), " "))
	w, err := t.fetch(ctx, append([]string{"-b", jar, "-c", jar}, args...), target)
	if err != nil {
		return nil, err
	}
	from := host(target)
	for _, a := range w.answers {
		line := fmt.Sprintf("   %d %s", a.status, from)
		if to := a.header.Get("Location"); to != "" {
			from = where(from, to)
			line += " → " + from
		}
		fmt.Fprintln(t.Out, line)
	}
	return w, nil
}

// where is where a redirect leads, shortened for people.
func where(from, location string) string {
	if strings.HasPrefix(location, "/") {
		name, _, _ := strings.Cut(from, "/")
		location = name + location
	}
	return host(location)
}

// quoted hides passwords and what is long, and quotes what a shell would take
// apart. `curl -u alice` asks for the password.
func quoted(args []string) []string {
	out := make([]string, 0, len(args))
	option := ""
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		user, _, _ := strings.Cut(a, ":")
		switch {
		case option == "-u" && user != "":
			a = user
		case name == "password" || len(value) > 30:
			a = name + "=…"
		}
		option = a
		if a == "" || strings.ContainsAny(a, " &;…") {
			a = "'" + a + "'"
		}
		out = append(out, a)
	}
	return out
}

// shown is a URL as a reader types it, but for the query, which is long.
func shown(target string) string {
	if page, _, long := strings.Cut(target, "?"); long {
		return "'" + page + "?…'"
	}
	return target
}

// fetch runs curl quietly.
func (t *teller) fetch(ctx context.Context, args []string, target string) (*walk, error) {
	headers, body := filepath.Join(t.Dir, "headers"), filepath.Join(t.Dir, "body")
	all := append([]string{"-q", "-sS", "-L", "--max-redirs", "15", "--max-time", "60", "-D", headers, "-o", body, "-w", "%{url_effective}"}, t.Curl...)
	cmd := exec.CommandContext(ctx, "curl", append(append(all, args...), target)...) //nolint:gosec // no shell
	cmd.Env = t.env()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	effective, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("curl %s: %w: %s", host(target), err, stderr.String())
	}
	w := &walk{}
	if w.url, err = withoutUser(string(effective)); err != nil {
		return nil, err
	}
	if w.answers, err = readAnswers(headers); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(body) //nolint:gosec // our own file
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	w.body = string(text)
	return w, os.WriteFile(body, nil, 0o600)
}

// withoutUser drops the name and password that some curls write into their
// effective URL.
func withoutUser(effective string) (string, error) {
	u, err := url.Parse(effective)
	if err != nil {
		return "", err
	}
	u.User = nil
	return u.String(), nil
}

// env is the environment of curl and kinit.
func (t *teller) env() []string {
	env := append(os.Environ(), "KRB5CCNAME="+t.ccache())
	if t.Krb5Conf != "" {
		env = append(env, "KRB5_CONFIG="+t.Krb5Conf)
	}
	return env
}

// readAnswers reads the headers that curl -D wrote: one block an answer.
func readAnswers(path string) ([]answer, error) {
	f, err := os.Open(path) //nolint:gosec // our own file
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []answer
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20) // an AP-REP is a long line
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "HTTP/") {
			status, err := strconv.Atoi(strings.Fields(line + " x x")[1])
			if err != nil {
				return nil, fmt.Errorf("curl's headers: %q", line)
			}
			out = append(out, answer{status, http.Header{}})
			continue
		}
		if name, value, ok := strings.Cut(line, ":"); ok && len(out) > 0 {
			out[len(out)-1].header.Add(name, strings.TrimSpace(value))
		}
	}
	if len(out) == 0 {
		return nil, errors.New("curl saw no answer")
	}
	return out, lines.Err()
}
