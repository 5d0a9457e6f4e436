package kdc

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// krb5Conf is the little of krb5.conf(5) that says where KDCs are. The library's
// reader panics on a block inside a realm and knows no include, both of which
// Debian's and Red Hat's files have; so this one reads the file.
type krb5Conf struct {
	kdcs     map[string][]string // realm → host, host:port or [v6]:port
	kpasswd  map[string][]string // servers that take new passwords, likewise
	admin    map[string][]string // administration servers, whose hosts do so too, on another port
	dns      bool                // dns_lookup_kdc; true unless said otherwise, as in MIT Kerberos
	udpLimit int                 // udp_preference_limit: larger requests go by TCP first
	seen     map[string]bool     // keys of [libdefaults] that had a value: the first one wins
	files    int

	ccache  string            // default_ccache_name, unexpanded; empty: MIT's own default
	kcm     string            // kcm_socket, likewise
	domains map[string]string // [domain_realm]: host or .domain → realm
}

const (
	maxConfFiles = 64
	maxConfFile  = 1 << 20 // bytes of one
)

// newKrb5Conf is what an empty file says.
func newKrb5Conf() *krb5Conf {
	return &krb5Conf{kdcs: map[string][]string{}, kpasswd: map[string][]string{}, admin: map[string][]string{}, domains: map[string]string{}, dns: true, udpLimit: 1465, seen: map[string]bool{}}
}

// loadKrb5Conf reads the file and what it includes. A file that does not exist
// is an empty one: KDCs are then looked up in the DNS.
func loadKrb5Conf(path string) (*krb5Conf, error) {
	c := newKrb5Conf()
	err := c.read(path)
	if errors.Is(err, os.ErrNotExist) && c.files == 1 {
		err = nil
	}
	return c, err
}

// readConf reads a file of at most maxConfFile bytes.
func readConf(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxConfFile {
		return nil, fmt.Errorf("%s: not a file of at most 1 MB", path)
	}
	return os.ReadFile(path) //nolint:gosec // the admin names the files
}

func (c *krb5Conf) read(path string) error {
	if c.files++; c.files > maxConfFiles {
		return fmt.Errorf("%s: too many included files", path)
	}
	b, err := readConf(path)
	if err != nil {
		return err
	}
	return c.parse(string(b))
}

func (c *krb5Conf) parse(text string) error {
	var section string
	var blocks []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			section, _, _ = strings.Cut(line[1:], "]")
			blocks = nil
		case strings.HasPrefix(line, "include"):
			if err := c.include(strings.Fields(line)); err != nil {
				return err
			}
		case line[0] == '}':
			blocks = blocks[:max(len(blocks)-1, 0)]
		default:
			key, value, _ := strings.Cut(line, "=")
			key, value = strings.TrimSpace(key), strings.TrimSpace(value)
			if strings.HasPrefix(value, "{") {
				if blocks = append(blocks, key); strings.HasSuffix(value, "}") {
					blocks = blocks[:len(blocks)-1]
				}
				continue
			}
			c.set(section, blocks, key, strings.Trim(value, `"`))
		}
	}
	return nil
}

// confName is what files of an includedir are called, krb5.conf(5).
var confName = regexp.MustCompile(`^([A-Za-z0-9_-]+|[^.].*\.conf)$`)

func (c *krb5Conf) include(words []string) error {
	if len(words) != 2 {
		return nil
	}
	if words[0] == "include" {
		return c.read(words[1])
	}
	entries, err := os.ReadDir(words[1])
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !confName.MatchString(e.Name()) || e.IsDir() {
			continue
		}
		if err := c.read(filepath.Join(words[1], e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (c *krb5Conf) set(section string, blocks []string, key, value string) {
	switch {
	case section == "realms" && len(blocks) == 1:
		servers, ok := map[string]map[string][]string{"kdc": c.kdcs, "kpasswd_server": c.kpasswd, "admin_server": c.admin}[key]
		value = strings.TrimSuffix(value, "*")
		if host, _, err := net.SplitHostPort(address(value, kdcPort)); ok && (host != "" || err != nil) { // no host would be this machine
			servers[blocks[0]] = append(servers[blocks[0]], value)
		}
	case section == "domain_realm" && len(blocks) == 0 && c.domains[strings.ToLower(key)] == "":
		c.domains[strings.ToLower(key)] = value
	case section == "libdefaults" && len(blocks) == 0 && !c.seen[key]:
		c.seen[key] = true
		switch key {
		case "default_ccache_name":
			c.ccache = value
		case "kcm_socket":
			c.kcm = value
		case "dns_lookup_kdc":
			switch strings.ToLower(value) {
			case "false", "no", "n", "off", "0", "nil":
				c.dns = false
			}
		case "udp_preference_limit":
			if n, err := strconv.Atoi(value); err == nil && n >= 0 {
				c.udpLimit = min(n, 32700)
			}
		}
	}
}

// Default ports, RFC 4120 §7.2.1 and RFC 3244 §2.
const (
	kdcPort     = "88"
	kpasswdPort = "464"
)

// address adds the default port of a server.
func address(server, port string) string {
	server = strings.TrimPrefix(strings.TrimPrefix(server, "tcp/"), "udp/")
	if _, _, err := net.SplitHostPort(server); err == nil {
		return server
	}
	return net.JoinHostPort(strings.Trim(server, "[]"), port)
}

// hosts takes the ports off servers.
func hosts(servers []string) (out []string) {
	for _, s := range servers {
		if host, _, err := net.SplitHostPort(address(s, kpasswdPort)); err == nil {
			out = append(out, host)
		}
	}
	return out
}
