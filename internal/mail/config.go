// Package mail sends what the database holds of mail that waits.
package mail

// Config is the section smtp of the configuration file.
type Config struct {
	Host string `yaml:"host"` // empty: no mail is sent
}
