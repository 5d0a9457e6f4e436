package look

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// Owner is the user a file belongs to, by name where it has one.
func Owner(info os.FileInfo) string {
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

// ForOthers reports whether people who are neither owner nor group get at a file.
func ForOthers(info os.FileInfo) bool { return info.Mode().Perm()&0o007 != 0 }

// Mode is written as chmod takes it.
func Mode(info os.FileInfo) string { return fmt.Sprintf("%04o", info.Mode().Perm()) }
