package keytabplan

import "strings"

var samba = system{name: "samba", title: "Samba Active Directory", tried: triedByTests,
	notes: func(Request) []string {
		return []string{
			"Samba issues RC4 tickets, and exports RC4 keys only, until msDS-SupportedEncryptionTypes is set: 24 is AES128 and AES256.",
			"ldbmodify is in ldb-tools. It writes on this domain controller, which replicates to the others.",
		}
	},
	setup: func(r Request) []Step {
		commands := []string{
			command("samba-tool", "user", "create", r.Account, "--random-password", "--description=idp single sign-on"),
			command("samba-tool", "user", "setexpiry", r.Account, "--noexpiry"),
		}
		for _, s := range r.spns() {
			commands = append(commands, command("samba-tool", "spn", "add", s, r.Account))
		}
		return append([]Step{
			{Where: onDC, Why: "Make the account and give it the SPN.", Commands: commands},
			{Where: onDC, Why: "AES only.", Commands: []string{r.sambaAES()}},
			{Where: onDC, Why: "Write its keys to a new file.", Commands: append(fresh(r.localKeytab()), r.sambaExport()...)},
			r.transfer(onDC, r.newKeytab()), r.install(),
		}, r.look()...)
	},
	rollover: func(r Request) []Step {
		change := append([]string{command("samba-tool", "user", "setpassword", r.Account, "--random-password")}, fresh(r.localKeytab())...)
		steps := []Step{{Where: onDC, Why: "Make a new version and write it to a new file.", Commands: append(change, r.sambaExport()...)}}
		steps = append(append(steps, r.add(onDC)...), r.look()...)
		return append(steps,
			Step{Where: onDC, Kind: Wait, Why: "When the last ticket made with the old key has ended (after 10 hours, unless kdc:service ticket lifetime in smb.conf says more), write the new version alone, and bring it into place as before.",
				Commands: append(fresh(r.localKeytab()), r.sambaExport()...)},
			r.transfer(onDC, r.newKeytab()), r.install())
	},
	refresh: func(r Request) []Step {
		export := Step{Where: onDC, Why: "Write the present keys to a new file.", Commands: append(fresh(r.localKeytab()), r.sambaExport()...)}
		return append(append([]Step{export}, r.add(onDC)...), r.look()...)
	},
}

// sambaAES sets the encryption types in the database of this domain controller.
// samba-tool makes users in CN=Users, and a domain is called like its realm.
func (r *Request) sambaAES() string {
	dn := "CN=" + r.Account + ",CN=Users,DC=" + strings.Join(strings.Split(strings.ToLower(r.Realm), "."), ",DC=")
	ldif := command("printf", `%s\n`, "dn: "+dn, "changetype: modify", "replace: msDS-SupportedEncryptionTypes", "msDS-SupportedEncryptionTypes: 24")
	return ldif + ` | ldbmodify -H "$(testparm -s --parameter-name='private dir' 2>/dev/null)/sam.ldb"`
}

func (r *Request) sambaExport() (commands []string) {
	for _, s := range r.spns() {
		commands = append(commands, command("samba-tool", "domain", "exportkeytab", r.localKeytab(), "--principal="+s))
	}
	return commands
}
