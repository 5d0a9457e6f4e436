package store

import (
	"encoding/json"
	"fmt"
)

// UserClaims are the standard claims of OIDC Core §5.1 that idp itself makes no
// use of: it keeps them, and tells them to relying parties that may know. Empty
// ones are not told. Name, email and groups are fields of User.
type UserClaims struct {
	GivenName           string  `json:"given_name,omitempty" yaml:"given_name"`
	FamilyName          string  `json:"family_name,omitempty" yaml:"family_name"`
	MiddleName          string  `json:"middle_name,omitempty" yaml:"middle_name"`
	Nickname            string  `json:"nickname,omitempty" yaml:"nickname"`
	Profile             string  `json:"profile,omitempty" yaml:"profile"` // URL
	Picture             string  `json:"picture,omitempty" yaml:"picture"` // URL
	Website             string  `json:"website,omitempty" yaml:"website"` // URL
	Gender              string  `json:"gender,omitempty" yaml:"gender"`
	Birthdate           string  `json:"birthdate,omitempty" yaml:"birthdate"` // YYYY-MM-DD, YYYY, or 0000-MM-DD
	Zoneinfo            string  `json:"zoneinfo,omitempty" yaml:"zoneinfo"`   // Europe/Paris
	Locale              string  `json:"locale,omitempty" yaml:"locale"`       // BCP 47: en-US
	PhoneNumber         string  `json:"phone_number,omitempty" yaml:"phone_number"`
	PhoneNumberVerified bool    `json:"phone_number_verified,omitempty" yaml:"phone_number_verified"`
	Address             Address `json:"address,omitzero" yaml:"address"`
}

// Address is a postal address (OIDC Core §5.1.1).
type Address struct {
	Formatted     string `json:"formatted,omitempty" yaml:"formatted"`
	StreetAddress string `json:"street_address,omitempty" yaml:"street_address"`
	Locality      string `json:"locality,omitempty" yaml:"locality"`
	Region        string `json:"region,omitempty" yaml:"region"`
	PostalCode    string `json:"postal_code,omitempty" yaml:"postal_code"`
	Country       string `json:"country,omitempty" yaml:"country"`
}

// encode is what Scan reads; nothing for no claims.
func (c UserClaims) encode() string {
	if c == (UserClaims{}) {
		return ""
	}
	b, err := json.Marshal(c)
	if err != nil { // strings and booleans always marshal
		panic(err)
	}
	return string(b)
}

// Scan implements sql.Scanner.
func (c *UserClaims) Scan(src any) error {
	*c = UserClaims{}
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("claims of a user: cannot read %T", src)
	}
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), c)
}
