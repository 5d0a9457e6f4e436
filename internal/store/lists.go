package store

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// document is a pointer to what a TEXT column holds as JSON; empty text: the zero value.
type document struct{ to any }

// Scan implements sql.Scanner.
func (d document) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("document: cannot read %T", src)
	}
	reflect.ValueOf(d.to).Elem().SetZero()
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), d.to)
}

// encodeDocument is what document reads; nothing for the zero value.
func encodeDocument(v any) (string, error) {
	if reflect.ValueOf(v).IsZero() {
		return "", nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// textList is a list of texts in a TEXT column, as JSON.
type textList []string

// Scan implements sql.Scanner.
func (l *textList) Scan(src any) error {
	var text []byte
	switch v := src.(type) {
	case string:
		text = []byte(v)
	case []byte:
		text = v
	default:
		return fmt.Errorf("list: cannot read %T", src)
	}
	*l = nil
	if string(text) == "[]" {
		return nil
	}
	return json.Unmarshal(text, (*[]string)(l))
}
