package store

import (
	"encoding/json"
	"fmt"
)

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
