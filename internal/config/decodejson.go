package config

import (
	"encoding/json"
	"reflect"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// json reads what is JSON elsewhere and may be pasted as it is, for JSON is YAML;
// or written as YAML; or as a text that holds JSON.
func (d *decoder) json(path string, n ast.Node, v reflect.Value) {
	var value any
	if err := yaml.NodeToValue(n, &value); err != nil {
		d.problem(path, lineOf(n), "cannot be read", "")
		return
	}
	raw, isText := value.(string)
	if !isText {
		text, err := json.Marshal(value)
		if err != nil {
			d.problem(path, lineOf(n), "cannot be written as JSON", "keys must be texts")
			return
		}
		raw = string(text)
	}
	if !json.Valid([]byte(raw)) {
		d.problem(path, lineOf(n), "is not JSON", "paste the JSON itself, {keys: […]}; jwks_file names a file")
		return
	}
	v.SetBytes([]byte(raw))
}
