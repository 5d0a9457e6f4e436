package firefox

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// driven lets a test drive Firefox, and lets the browser choose a port for it.
const driven = `user_pref("marionette.port", 0);
user_pref("signon.rememberSignons", false);
`

// patience is how long a test waits for anything.
const patience = 2 * time.Minute

// Browser is a Firefox that a test drives by Marionette, Firefox's own protocol
// beneath WebDriver: JSON behind its length, one answer for each command. Whatever
// goes wrong fails the test.
type Browser struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
	id   int
}

// Start starts one with a fresh profile, on an empty page. It ends with the test.
func Start(t testing.TB, env ...string) *Browser {
	t.Helper()
	profile := open(t, "about:blank", "", quiet+driven, []string{"--marionette"}, env)
	conn, err := net.Dial("tcp", "127.0.0.1:"+port(t, filepath.Join(profile, "MarionetteActivePort")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	b := &Browser{t: t, conn: conn, in: bufio.NewReader(conn)}
	if _, err := b.read(); err != nil { // what it can do
		t.Fatal(err)
	}
	b.do("WebDriver:NewSession", map[string]any{})
	b.do("WebDriver:SetTimeouts", map[string]any{"implicit": patience.Milliseconds(), "pageLoad": patience.Milliseconds()})
	return b
}

// port waits until Firefox has written which one it listens on.
func port(t testing.TB, file string) string {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		if text, err := os.ReadFile(file); err == nil && len(text) > 0 {
			return strings.TrimSpace(string(text))
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("Firefox does not listen for a driver")
		}
	}
}

// Open opens an address and waits until it is loaded.
func (b *Browser) Open(address string) {
	b.t.Helper()
	b.do("WebDriver:Navigate", map[string]any{"url": address})
}

// Reload does what its button does; Back, too.
func (b *Browser) Reload() { b.t.Helper(); b.do("WebDriver:Refresh", map[string]any{}) }

// Back goes back.
func (b *Browser) Back() { b.t.Helper(); b.do("WebDriver:Back", map[string]any{}) }

// Type types into the field that a selector names, in place of what is in it.
func (b *Browser) Type(selector, text string) {
	b.t.Helper()
	e := b.find(selector)
	b.do("WebDriver:ElementClear", map[string]any{"id": e})
	b.do("WebDriver:ElementSendKeys", map[string]any{"id": e, "text": text})
}

// Click clicks on what a selector names, and waits for the page that comes of it.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	b.do("WebDriver:ElementClick", map[string]any{"id": b.find(selector)})
}

// Text is what the first element that a selector names shows, as soon as there is one.
func (b *Browser) Text(selector string) string {
	b.t.Helper()
	var text string
	b.value(b.do("WebDriver:GetElementText", map[string]any{"id": b.find(selector)}), &text)
	return text
}

// Address is where the browser is.
func (b *Browser) Address() string {
	b.t.Helper()
	var address string
	b.value(b.do("WebDriver:GetCurrentURL", map[string]any{}), &address)
	return address
}

// Evaluate is what a script returns, as JSON has it.
func (b *Browser) Evaluate(script string, result any) {
	b.t.Helper()
	b.value(b.do("WebDriver:ExecuteScript", map[string]any{"script": script, "args": []any{}}), result)
}

// NewTab opens an empty tab and goes to it.
func (b *Browser) NewTab() {
	b.t.Helper()
	var tab struct{ Handle string }
	if err := json.Unmarshal(b.do("WebDriver:NewWindow", map[string]any{"type": "tab", "focus": true}), &tab); err != nil {
		b.t.Fatal(err)
	}
	b.do("WebDriver:SwitchToWindow", map[string]any{"handle": tab.Handle})
}

// Resize makes the window that wide and high.
func (b *Browser) Resize(width, height int) {
	b.t.Helper()
	b.do("WebDriver:SetWindowRect", map[string]any{"width": width, "height": height})
}

// Photograph writes a PNG of what the browser shows to $IDP_PHOTOS/name.png; nothing
// when that is not set.
func (b *Browser) Photograph(name string) {
	b.t.Helper()
	dir := os.Getenv("IDP_PHOTOS")
	if dir == "" {
		return
	}
	var text string
	b.value(b.do("WebDriver:TakeScreenshot", map[string]any{"full": false}), &text)
	png, err := base64.StdEncoding.DecodeString(text)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, strings.ReplaceAll(name, "/", "-")+".png"), png, 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// find waits for an element.
func (b *Browser) find(selector string) string {
	b.t.Helper()
	var element map[string]string
	b.value(b.do("WebDriver:FindElement", map[string]any{"using": "css selector", "value": selector}), &element)
	for _, id := range element { // under one key, WebDriver's name for elements
		return id
	}
	b.t.Fatalf("no %s", selector)
	return ""
}

// value reads the one value that a command returns.
func (b *Browser) value(answer json.RawMessage, into any) {
	b.t.Helper()
	var wrapped struct{ Value json.RawMessage }
	if err := errors.Join(json.Unmarshal(answer, &wrapped), json.Unmarshal(wrapped.Value, into)); err != nil {
		b.t.Fatalf("%v: %s", err, answer)
	}
}

// do sends a command and returns its answer.
func (b *Browser) do(command string, params map[string]any) json.RawMessage {
	b.t.Helper()
	b.id++
	text, err := json.Marshal([]any{0, b.id, command, params})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.conn.SetDeadline(time.Now().Add(patience + 10*time.Second)); err != nil {
		b.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(b.conn, "%d:%s", len(text), text); err != nil {
		b.t.Fatal(err)
	}
	answer, err := b.read()
	if err != nil {
		b.t.Fatalf("%s: %v", command, err)
	}
	var parts []json.RawMessage // type, id, error, result
	if err := json.Unmarshal(answer, &parts); err != nil || len(parts) != 4 {
		b.t.Fatalf("%s: %s", command, answer)
	}
	if string(parts[2]) != "null" {
		b.t.Fatalf("%s %v: %s", command, params, parts[2])
	}
	return parts[3]
}

// read reads one message.
func (b *Browser) read() ([]byte, error) {
	length, err := b.in.ReadString(':')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
	if err != nil || n < 0 || n > 64<<20 {
		return nil, fmt.Errorf("a message of %q bytes: %w", length, err)
	}
	text := make([]byte, n)
	for read := 0; read < n; {
		m, err := b.in.Read(text[read:])
		if err != nil {
			return nil, err
		}
		read += m
	}
	return text, nil
}
