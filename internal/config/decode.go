package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxFile bounds the configuration file, in bytes.
const maxFile = 4 << 20

// Problem is one thing wrong with the configuration.
type Problem struct {
	File string
	Line int    // 0: not known, or not from the file
	Key  string // as in the file: kerberos.realms[0].case
	Text string
	Hint string

	unknown string // the path of what an unknown key is in: its value may be what is missing there
	meant   string // the key that an unknown one was probably meant for
}

func (p Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
		if p.Line > 0 {
			b.WriteString(strconv.Itoa(p.Line) + ":")
		}
		b.WriteByte(' ')
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Text)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// Problems is every problem at once, in the order of the file.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int { return a.Line - b.Line })
	return p
}

// With adds what was found later, but for the keys that have a problem already:
// a value that could not be read is not also missing, nor one whose key is misspelt.
func (p Problems) With(more Problems) Problems {
	all := slices.Clone(p)
	for _, m := range more {
		if !slices.ContainsFunc(p, func(one Problem) bool { return one.Key == m.Key || one.explains(m) }) {
			all = append(all, m)
		}
	}
	return all.sorted()
}

// explains reports whether p, an unknown key that was meant for another, is probably
// why something is said to be missing beside it: by its own name, or by what follows
// from it, as a client's secret does from token_endpoint_auth_method.
func (p Problem) explains(m Problem) bool {
	if p.meant == "" {
		return false
	}
	missing := strings.HasPrefix(m.Text, "missing") || strings.HasPrefix(m.Text, "is missing")
	return m.Key == p.meant || missing && m.Key[:max(0, strings.LastIndexByte(m.Key, '.'))] == p.unknown
}

// decoder walks the file's tree beside the struct, so that one reading finds
// every unknown key and every wrong value, and remembers the line of each key.
type decoder struct {
	lines    map[string]int
	problems Problems
}

func decode(text []byte, into *Config) (map[string]int, Problems) {
	d := &decoder{lines: map[string]int{}}
	if len(text) > maxFile {
		d.problem("$", 0, "is larger than 4 MB", "")
		return d.lines, d.problems
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		line, message := syntaxError(err)
		d.problem("$", line, "is not YAML: "+message, "check the indentation and quotes around this line")
		return d.lines, d.problems
	}
	for i, doc := range file.Docs {
		if i > 0 {
			d.problem("$", 0, "holds a second document", "one file, one document")
			break
		}
		if doc.Body != nil {
			d.value("$", doc.Body, reflect.ValueOf(into).Elem())
		}
	}
	return d.lines, d.problems
}

func syntaxError(err error) (int, string) {
	message, _, _ := strings.Cut(err.Error(), "\n")
	var line, column int
	if _, scanErr := fmt.Sscanf(message, "[%d:%d]", &line, &column); scanErr == nil {
		_, message, _ = strings.Cut(message, "] ")
	}
	return line, message
}

func (d *decoder) problem(path string, line int, text, hint string) {
	d.problems = append(d.problems, Problem{Line: line, Key: key(path), Text: text, Hint: hint})
}

// lineOf is 0 for the nodes that the parser leaves without a token.
func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

func key(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, "$"), ".") }

func (d *decoder) value(path string, n ast.Node, v reflect.Value) {
	d.lines[path] = lineOf(n)
	if n.Type() == ast.NullType { // `key:` with nothing behind it keeps the default
		return
	}
	if v.Kind() == reflect.Pointer { // of a value that has no default; the library would leave nil there
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	_, isText := v.Addr().Interface().(encoding.TextUnmarshaler)
	switch {
	case isText:
		d.text(path, n, v)
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		d.json(path, n, v)
	case v.Kind() == reflect.Struct:
		d.mapping(path, n, v)
	case v.Kind() == reflect.Slice:
		d.sequence(path, n, v)
	default:
		d.scalar(path, n, v)
	}
}

// entries returns the key-value pairs of a mapping node, which the parser gives
// in another type when there is just one.
func entries(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}, true
	default:
		return nil, false
	}
}

func (d *decoder) mapping(path string, n ast.Node, v reflect.Value) {
	pairs, ok := entries(n)
	if !ok {
		d.problem(path, lineOf(n), "wants keys and values", "write {key: value}, such as {name: EXAMPLE.COM}")
		return
	}
	fields := fieldsOf(v.Type())
	for _, pair := range pairs {
		token := pair.Key.GetToken()
		if token == nil {
			continue
		}
		name := token.Value
		line := lineOf(pair.Key)
		i, known := fields[name]
		if !known && later[withoutIndex(path)+"."+name] {
			if !isEmpty(pair.Value) {
				d.problem(path+"."+name, line, "is not supported by this version yet", "leave it out or empty")
			}
			continue
		}
		if !known {
			d.unknown(path, name, line, fields)
			continue
		}
		if _, twice := d.lines[path+"."+name]; twice {
			d.problem(path+"."+name, line, "is there twice", "")
			continue
		}
		d.value(path+"."+name, pair.Value, v.Field(i))
		d.lines[path+"."+name] = line
	}
}

// unknown notes a key that is not known in the mapping at path.
func (d *decoder) unknown(path, name string, line int, fields map[string]int) {
	p := Problem{Line: line, Key: key(path + "." + name), Text: "unknown key", Hint: suggest(name, fields), unknown: key(path)}
	best := nearest(name, fields)
	if inFile := files[withoutIndex(path)+"."+name]; inFile != "" {
		best, p.Hint = inFile, "secrets are not in this file: "+inFile+" names the one that holds it"
	}
	if best != "" {
		p.meant = key(path + "." + best)
	}
	d.problems = append(d.problems, p)
}

// files are keys that people try for what is only ever in a file of its own.
var files = map[string]string{
	"$.clients[].client_secret":           "client_secret_file",
	"$.clients[].next_client_secret":      "next_client_secret_file",
	"$.users[].password":                  "password_file",
	"$.registration.initial_access_token": "initial_access_token_file",
}

// later are keys that no part of this version reads. They are known, so that a
// file that leaves them empty loads; whoever fills one relies on it.
var later = map[string]bool{
	"$.admin": true,
}

var index = regexp.MustCompile(`\[\d+\]`)

func withoutIndex(path string) string { return index.ReplaceAllString(path, "[]") }

// isEmpty: null, [], {}, or keys with nothing in them.
func isEmpty(n ast.Node) bool {
	if seq, ok := n.(*ast.SequenceNode); ok {
		return len(seq.Values) == 0
	}
	pairs, ok := entries(n)
	for _, pair := range pairs {
		ok = ok && isEmpty(pair.Value)
	}
	return ok || n.Type() == ast.NullType
}

func (d *decoder) sequence(path string, n ast.Node, v reflect.Value) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.problem(path, lineOf(n), "wants a list", "write [a, b], or one line with a dash for each")
		return
	}
	list := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
	for i, item := range seq.Values {
		d.value(fmt.Sprintf("%s[%d]", path, i), item, list.Index(i))
	}
	v.Set(list)
}

func (d *decoder) text(path string, n ast.Node, v reflect.Value) {
	s, ok := n.(ast.ScalarNode)
	if !ok {
		d.problem(path, lineOf(n), "wants one value", "")
		return
	}
	u, _ := v.Addr().Interface().(encoding.TextUnmarshaler)
	if err := u.UnmarshalText([]byte(fmt.Sprint(s.GetValue()))); err != nil {
		d.problem(path, lineOf(n), "cannot be read: "+err.Error(), hintFor(v))
	}
}

func hintFor(v reflect.Value) string {
	switch v.Type().Name() {
	case "Duration":
		return "write a duration such as 90s, 5m or 8h"
	case "Prefix":
		return "write an address range such as 10.0.0.0/8 or 192.0.2.7/32"
	default:
		return ""
	}
}

// scalar lets the YAML library convert, but no number into a string field's
// place unseen, nor the reverse: `client_id: 0123` would lose its zero.
func (d *decoder) scalar(path string, n ast.Node, v reflect.Value) {
	line := lineOf(n)
	if v.Kind() == reflect.String && n.Type() != ast.StringType && n.Type() != ast.LiteralType {
		hint := "put it in quotes"
		if n.Type() == ast.SequenceType {
			hint = "one text, and no list"
			if strings.HasSuffix(path, ".scope") {
				hint = "one text, with spaces: openid profile email"
			}
		}
		d.problem(path, line, "wants a text", hint)
		return
	}
	to := v
	if v.Kind() == reflect.Pointer { // the library leaves it nil, whatever the value
		to = reflect.New(v.Type().Elem()).Elem()
	}
	if err := yaml.NodeToValue(n, to.Addr().Interface()); err != nil {
		d.problem(path, line, "wants "+wanted(v), "")
		return
	}
	if v.Kind() == reflect.Pointer && n.Type() != ast.NullType {
		v.Set(to.Addr())
	}
}

func wanted(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a number"
	case reflect.Map:
		return "keys and values"
	default:
		return "another kind of value"
	}
}

func fieldsOf(t reflect.Type) map[string]int {
	out := map[string]int{}
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "" && name != "-" {
			out[name] = i
		}
	}
	return out
}

// suggest names the known key that the unknown one is most likely meant for.
func suggest(name string, fields map[string]int) string {
	if best := nearest(name, fields); best != "" {
		return "did you mean " + best + "?"
	}
	return "known here: " + strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
}

// nearest is the known key that is spelt most like name; empty: none is.
func nearest[V any](name string, known map[string]V) string {
	best, distance := "", 4
	for _, f := range slices.Sorted(maps.Keys(known)) {
		if n := editDistance(name, f); n < distance {
			best, distance = f, n
		}
	}
	return best
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := diagonal
			if a[i-1] != b[j-1] {
				change++
			}
			diagonal = row[j]
			row[j] = min(change, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
