package ticket

import (
	"cmp"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"idp/internal/kerberos/kdc"
)

// another is how to get a cache that we can read.
const another = "get a ticket into a file: export KRB5CCNAME=FILE:/tmp/krb5cc_$(id -u); kinit"

// collection is what a name of tickets stands for: one cache, or several of which one
// is the default.
type collection interface {
	read() (*cache, error) // the default one
	all() []*cache         // those that can be read; nil where there is only one
}

// anybody may own a cache that KRB5CCNAME names.
const anybody = -1

// find is the collection of user me: what KRB5CCNAME names, else krb5.conf, else MIT's
// default.
func find(kdcs *kdc.Client, me int) (collection, error) {
	socket, err := kdcs.KCMSocket()
	if err != nil {
		return nil, err
	}
	server := kcm{socket: cmp.Or(socket, kcmSocket), me: me, wait: kcmTimeout}
	if name := os.Getenv("KRB5CCNAME"); name != "" {
		return named(name, anybody, server)
	}
	name, err := kdcs.DefaultCache()
	if err != nil {
		return nil, err
	}
	if name, err = expand(cmp.Or(name, "FILE:/tmp/krb5cc_%{uid}"), me); err != nil {
		return nil, err
	}
	return named(name, me, server)
}

// named is a collection by its kind and name, ccache(7).
func named(name string, owner int, server kcm) (collection, error) {
	kind, rest, ok := strings.Cut(name, ":")
	switch {
	case !ok || strings.HasPrefix(name, "/"):
		return file{name: name, path: name, owner: owner}, nil
	case kind == "FILE":
		return file{name: name, path: rest, owner: owner}, nil
	case kind == "DIR" && strings.HasPrefix(rest, ":"):
		path := rest[1:]
		if !isSubsidiary(filepath.Base(path)) {
			return nil, fmt.Errorf("%s: a cache of a folder is called tkt and something", name)
		}
		return file{name: name, path: path, owner: owner}, nil
	case kind == "DIR":
		return dir{path: rest, owner: owner}, nil
	case kind == "KCM":
		server.name = rest
		return server, nil
	case kind == "KEYRING":
		return newKeyring(rest, owner)
	}
	return nil, fmt.Errorf("the tickets are in a cache of the kind %s (%s), which cannot be read here; %s", kind, name, another)
}

// expand replaces the parameters of krb5.conf(5), "Parameter expansion", which
// KRB5CCNAME does not have.
func expand(name string, me int) (string, error) {
	uid := strconv.Itoa(me)
	euid := strconv.Itoa(os.Geteuid())
	if strings.Contains(name, "%{username}") {
		who, err := user.LookupId(euid)
		if err != nil {
			return "", fmt.Errorf("default_ccache_name of krb5.conf has %%{username}: %w; set KRB5CCNAME", err)
		}
		name = strings.ReplaceAll(name, "%{username}", who.Username)
	}
	temp := cmp.Or(os.Getenv("TMPDIR"), "/tmp")
	name = strings.NewReplacer("%{uid}", uid, "%{USERID}", uid, "%{euid}", euid, "%{TEMP}", temp, "%{null}", "").Replace(name)
	if strings.Contains(name, "%{") {
		return "", fmt.Errorf("default_ccache_name of krb5.conf has a parameter that is not known here: %s; set KRB5CCNAME", name)
	}
	return name, nil
}
