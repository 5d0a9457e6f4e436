// Package upstream is idp as a relying party of other OpenID providers.
package upstream

// Config is one entry of upstreams in the configuration file.
type Config struct {
	ID     string `yaml:"id"`     // in paths and names: upstream users are called id:name
	Name   string `yaml:"name"`   // on the button
	Issuer string `yaml:"issuer"` // as its ID tokens say
}
