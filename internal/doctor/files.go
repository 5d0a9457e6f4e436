package doctor

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// owner is the user a file belongs to, by name where it has one.
func owner(info os.FileInfo) string {
	sys, is := info.Sys().(*syscall.Stat_t)
	if !is {
		return ""
	}
	uid := strconv.FormatUint(uint64(sys.Uid), 10)
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return uid
}

// runsAs is the user that idp runs as, as far as files show it: the owner of the
// embedded database. Empty: not known.
func (e *exam) runsAs() string {
	path, embedded := strings.CutPrefix(e.Database, sqliteURL)
	info, err := os.Stat(path)
	if !embedded || err != nil {
		return ""
	}
	return owner(info)
}

// closedTo reports whether a file of owner is certainly not for user to read.
func closedTo(user, owner string, m os.FileMode) bool {
	return user != "" && user != "root" && user != owner && m.Perm()&0o044 == 0
}

// forOthers reports whether people who are neither owner nor group get at a file.
func forOthers(info os.FileInfo) bool { return info.Mode().Perm()&0o007 != 0 }

// mode is written as chmod takes it.
func mode(info os.FileInfo) string { return fmt.Sprintf("%04o", info.Mode().Perm()) }

// age is how long ago something was, as people say it.
func age(since time.Duration) string {
	switch days := int(since.Hours() / 24); {
	case since < 0:
		return "dated in the future"
	case days >= 2:
		return fmt.Sprintf("%d days old", days)
	case since >= 2*time.Hour:
		return fmt.Sprintf("%d hours old", int(since.Hours()))
	default:
		return fmt.Sprintf("%d minutes old", int(since.Minutes()))
	}
}
