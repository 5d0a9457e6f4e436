package store

import (
	"bytes"
	"encoding/json"
	"slices"
)

// What was changed stands in the detail of its audit row, as JSON with the names of
// RFC 7591 and of the users of the configuration file, cut short as every field is.
// Of secrets only that there are other ones.

// clientDetail is what differs between two versions of a relying party's metadata, as
// the later one has it; null for what is gone. All that is there where before is nil.
func clientDetail(before, after []byte) (string, error) {
	was, is := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if before != nil {
		if err := json.Unmarshal(before, &was); err != nil {
			return "", err
		}
	}
	if err := json.Unmarshal(after, &is); err != nil {
		return "", err
	}
	changed := map[string]json.RawMessage{}
	for name, value := range is {
		if !bytes.Equal(was[name], value) {
			changed[name] = value
		}
	}
	for name := range was {
		if is[name] == nil {
			changed[name] = json.RawMessage("null")
		}
	}
	if changed["secret_hashes"] != nil {
		changed["secret_hashes"] = json.RawMessage(`"changed"`) // who may read the audit need not have them
	}
	delete(changed, "client_id") // has a column
	return compact(changed)
}

// userDetail is what a user was made with, and what outside source knows them. Where
// they live and the like, which may have to be forgotten, is not in it.
func userDetail(u User, identity *Identity) (string, error) {
	about := struct {
		Source   string   `json:"source,omitempty"`
		Key      string   `json:"key,omitempty"`
		Password bool     `json:"password,omitempty"`
		FullName string   `json:"full_name,omitempty"`
		Email    string   `json:"email,omitempty"`
		Groups   []string `json:"groups,omitempty"`
		Admin    bool     `json:"admin,omitempty"`
	}{Password: u.PasswordHash != "", FullName: u.FullName, Email: u.Email, Groups: u.Groups, Admin: u.Admin}
	if identity != nil {
		about.Source, about.Key = identity.Source, identity.Key
	}
	return compact(about)
}

// profileDetail is what differs between what sites are told of a user and were, as it
// is now; of claims only that they do.
func profileDetail(was, is User) (string, error) {
	changed := map[string]any{}
	if was.FullName != is.FullName {
		changed["full_name"] = is.FullName
	}
	if was.Email != is.Email {
		changed["email"] = is.Email
	}
	if !slices.Equal(was.Groups, is.Groups) {
		changed["groups"] = append([]string{}, is.Groups...)
	}
	if was.Claims != is.Claims {
		changed["claims"] = "changed"
	}
	return compact(changed)
}

func compact(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return string(bytes.TrimSpace(b.Bytes())), err
}
