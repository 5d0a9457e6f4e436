package sambatest

import (
	"errors"
	"fmt"
	"os"
	"strconv"
)

// User is an account to be made. Only Name and Password are needed.
type User struct {
	Name, Password string
	Given, Family  string // display name "Given Family"
	UPN            string // whole, default Name@ad.test
}

// AddUser makes a person's account, with AES keys.
func (d *Domain) AddUser(u User) error {
	args := []string{"user", "create", u.Name, u.Password, "--use-username-as-cn"}
	if u.Given != "" {
		args = append(args, "--given-name="+u.Given, "--surname="+u.Family)
	}
	if err := d.Tool(args...); err != nil || u.UPN == "" {
		return err
	}
	return d.Set(u.Name, "userPrincipalName", u.UPN)
}

// Set replaces an attribute of an account.
func (d *Domain) Set(account, attribute, value string) error {
	dn, err := d.Show(account, "distinguishedName")
	if err != nil {
		return err
	}
	_, err = d.python(fmt.Sprintf("dn: %[1]s\nchangetype: modify\nreplace: %[2]s\n%[2]s: %[3]s\n", dn, attribute, value), "modify", d.conf())
	return err
}

// Show returns an attribute of an account or group, empty if it has none.
func (d *Domain) Show(account, attribute string) (string, error) {
	return d.python("", "show", d.conf(), account, attribute)
}

// SID of an account or group.
func (d *Domain) SID(name string) (string, error) { return d.Show(name, "objectSid") }

// BadPasswords is the KDC's own count of wrong passwords.
func (d *Domain) BadPasswords(name string) (int, error) {
	n, err := d.Show(name, "badPwdCount")
	if err != nil || n == "" {
		return 0, err
	}
	return strconv.Atoi(n)
}

// Scopes of groups.
const (
	Global      = "Global"
	DomainLocal = "Domain" // as samba-tool calls it
	Universal   = "Universal"
)

// AddGroup makes a group of members, which may be groups.
func (d *Domain) AddGroup(name, scope string, members ...string) error {
	if err := d.Tool("group", "add", name, "--group-scope="+scope); err != nil {
		return err
	}
	for _, m := range members {
		if err := d.Tool("group", "addmembers", name, m); err != nil {
			return err
		}
	}
	return nil
}

// Encryption types of an account, [MS-KILE] §2.2.7.
const (
	RC4 = 0x04
	AES = 0x18
)

// SetEnctypes says which tickets an account takes.
func (d *Domain) SetEnctypes(account string, types int) error {
	return d.Set(account, "msDS-SupportedEncryptionTypes", strconv.Itoa(types))
}

// AddService makes a service account with these names, AES only, and a random
// password that never ends.
func (d *Domain) AddService(account string, spns ...string) error {
	if err := d.Tool("user", "create", account, "--random-password"); err != nil {
		return err
	}
	if err := d.Tool("user", "setexpiry", account, "--noexpiry"); err != nil {
		return err
	}
	for _, spn := range spns {
		if err := d.Tool("spn", "add", spn, account); err != nil {
			return err
		}
	}
	return d.SetEnctypes(account, AES)
}

// ExportKeytab writes the current keys of principals to a new file and renames
// it to path.
func (d *Domain) ExportKeytab(path string, principals ...string) error {
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, p := range principals {
		if err := d.Tool("domain", "exportkeytab", tmp, "--principal="+p); err != nil {
			return err
		}
	}
	return os.Rename(tmp, path)
}

// Rename gives an account another logon name and UPN, as an admin does after a
// wedding. Its SID stays.
func (d *Domain) Rename(old, name string) error {
	return d.Tool("user", "rename", old, "--samaccountname="+name, "--upn="+name+"@ad.test")
}

// Delete removes an account; one of that name made later has another SID.
func (d *Domain) Delete(name string) error { return d.Tool("user", "delete", name) }

// Disable disables an account.
func (d *Domain) Disable(name string) error { return d.Tool("user", "disable", name) }

// ExpirePassword makes an account's password one that must be changed.
func (d *Domain) ExpirePassword(name string) error { return d.Set(name, "pwdLastSet", "0") }

// ExpireAccount makes an account one that ended in the past.
func (d *Domain) ExpireAccount(name string) error {
	return d.Set(name, "accountExpires", "116444736000000000") // 1970
}

// LockOut locks accounts for half an hour after this many wrong passwords.
func (d *Domain) LockOut(threshold int) error {
	return d.Tool("domain", "passwordsettings", "set", "--account-lockout-threshold="+strconv.Itoa(threshold))
}
