package keytabplan

import "strings"

var activeDirectoryFromLinux = system{name: "ad-linux", title: "Active Directory, from Linux by msktutil",
	tried: "Not run by our tests; typed once by hand, with msktutil 1.2 and adcli 0.9 against Samba. Not tried with Windows.",
	notes: func(r Request) []string {
		domain := strings.ToLower(r.Realm)
		join := command("adcli", "join", "--domain="+domain, "--computer-name="+strings.ToUpper(r.Account[:min(len(r.Account), 15)]),
			"--host-fqdn="+r.Host, "--service-name=HTTP", "--login-ccache", "--host-keytab="+r.newKeytab())
		update := command("adcli", "update", "--domain="+domain, "--computer-password-lifetime=0", "--host-keytab="+r.newKeytab())
		return []string{
			"Any account that may make users will do instead of Administrator. msktutil finds the domain controllers by DNS, or takes --server; it needs SASL's GSSAPI (Debian: libsasl2-modules-gssapi-mit).",
			"--enctypes 0x18 is AES128 and AES256; without it msktutil asks for RC4, too.",
			"adcli makes a computer account instead, with RC4 keys, too, unless permitted_enctypes in krb5.conf has aes256-cts-hmac-sha1-96 and aes128-cts-hmac-sha1-96 only. After kinit: " +
				join + " and install the file as below. To roll over: " + update + " on a copy of the keytab.",
		}
	},
	setup: func(r Request) []Step {
		words := []string{"msktutil", "create"}
		for _, s := range r.spns() {
			words = append(words, "--service", s)
		}
		return append([]Step{
			{Where: onHost, Why: "Make the account, its SPN and its keys, and write them to a new file.", Commands: []string{
				"umask 077",
				command("rm", "-f", r.newKeytab()),
				command("kinit", "Administrator@"+r.Realm),
				command(append(words, r.msktutil("--dont-expire-password")...)...),
				"kdestroy",
			}},
			r.install(),
		}, r.look()...)
	},
	rollover: func(r Request) []Step {
		return append(r.msktutilUpdate(), Step{Where: onHost, Kind: Wait,
			Why: "When the last ticket made with the old key has ended (" + adLife + "): a day later, take the old version out.",
			Commands: append([]string{
				"umask 077",
				command("cp", "-f", r.Keytab, r.newKeytab()),
				command("msktutil", "cleanup", "--remove-old", "1", "--keytab", r.newKeytab()),
			}, r.installCommands(r.newKeytab())...)})
	},
	refresh: func(r Request) []Step { return r.msktutilUpdate() },
}

// msktutilUpdate makes a new key version: Active Directory gives none out.
func (r *Request) msktutilUpdate() []Step {
	return append([]Step{
		{Where: onHost, Why: "Make a new key version beside the old ones, in a copy of the keytab. It takes a moment only.", Commands: append([]string{
			"umask 077",
			command("cp", "-f", r.Keytab, r.newKeytab()),
			command("kinit", "Administrator@"+r.Realm),
			command(append([]string{"msktutil", "update"}, r.msktutil()...)...),
			"kdestroy",
		}, r.installCommands(r.newKeytab())...)},
	}, r.look()...)
}

// msktutil are the options of every run. By the admin's ticket, for a service
// account may not change its own password twice a day; names as they are given,
// whatever DNS makes of them.
func (r *Request) msktutil(more ...string) []string {
	return append([]string{"--use-service-account", "--account-name", r.Account, "--realm", r.Realm, "--enctypes", "0x18",
		"--keytab", r.newKeytab(), "--user-creds-only", "--no-canonical-name"}, more...)
}
