package doctor

import (
	"fmt"
	"os"
	"strings"
	"time"

	"idp/internal/doctor/look"
)

// runsAs is the user that idp runs as, as far as files show it: the owner of the
// embedded database. Empty: not known.
func (e *exam) runsAs() string {
	path, embedded := strings.CutPrefix(e.Database, sqliteURL)
	info, err := os.Stat(path)
	if !embedded || err != nil {
		return ""
	}
	return look.Owner(info)
}

// closedTo reports whether a file of owner is certainly not for user to read.
func closedTo(user, owner string, m os.FileMode) bool {
	return user != "" && user != "root" && user != owner && m.Perm()&0o044 == 0
}

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
