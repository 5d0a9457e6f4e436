package user

import (
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // what {SSHA} is made of; it is replaced at the first login
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	stdhash "hash"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

var b64 = base64.RawStdEncoding

// unb64 decodes base64 as PHC strings have it, or with padding; ok is false for
// anything else, white space included, which the standard library passes over.
func unb64(text string) (raw []byte, ok bool) {
	text = strings.TrimRight(text, "=")
	raw, err := b64.Strict().DecodeString(text)
	return raw, err == nil && !strings.ContainsAny(text, "\r\n")
}

// number reads a decimal number as programs write it: no sign, no leading zero.
func number(text string) (n int, ok bool) {
	if text == "" || len(text) > 9 || text[0] == '0' {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// price is what n of something cost that costs one each.
func price(one time.Duration, n int) time.Duration { return one * time.Duration(n) }

// named reads the parameters of a PHC string, m=1,t=2,p=3, all that are wanted and
// in their order, and nothing else.
func named(text string, names ...string) (values []int, ok bool) {
	parts := strings.Split(text, ",")
	if len(parts) != len(names) {
		return nil, false
	}
	for i, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		n, isNumber := number(value)
		if name != names[i] || !isNumber {
			return nil, false
		}
		values = append(values, n)
	}
	return values, true
}

// readArgon reads v=19$m=47104,t=1,p=1$salt$sum (RFC 9106, in the PHC string format).
func readArgon(rest string) (*hash, error) {
	parts := strings.Split(rest, "$")
	if len(parts) != 4 || parts[0] != "v="+strconv.Itoa(argon2.Version) {
		return unreadable("want $argon2id$v=19$m=…,t=…,p=…$salt$hash")
	}
	n, ok := named(parts[1], "m", "t", "p")
	salt, ok1 := unb64(parts[2])
	sum, ok2 := unb64(parts[3])
	if !ok || !ok1 || !ok2 || len(salt) < 8 {
		return unreadable("want $argon2id$v=19$m=…,t=…,p=…$salt$hash")
	}
	memory, passes, lanes := n[0], n[1], n[2]
	switch {
	case lanes > 16 || passes > 100 || memory < 8*lanes:
		return unreadable("more than 16 lanes or 100 passes, or less memory than 8 KiB a lane")
	case memory > maxArgonMemory:
		return unreadable("argon2id with more than 256 MiB")
	}
	h := &hash{sum: sum, argon: true, cost: price(argonMiB, memory*passes) / 1024, ours: memory == argonMemory && passes == argonTime && lanes == argonThreads}
	h.derive = func(pw []byte) []byte {
		return argon2.IDKey(pw, salt, uint32(passes), uint32(memory), uint8(lanes), uint32(len(sum))) //nolint:gosec // bounded above, and by checked
	}
	return h.checked(salt)
}

var bcryptRest = regexp.MustCompile(`^(\d\d)\$[./A-Za-z0-9]{53}$`)

// readBcrypt reads 12$salt-and-sum. Only the first 72 bytes of a password count
// there, and no byte that is 0: that is how other software made it.
func readBcrypt(rest string) (*hash, error) {
	m := bcryptRest.FindStringSubmatch(rest)
	if m == nil {
		return unreadable("want $2b$cost$ and 53 characters")
	}
	cost, err := strconv.Atoi(m[1])
	switch {
	case err != nil || cost < bcrypt.MinCost:
		return unreadable("bcrypt with a cost of less than 4")
	case cost > 20:
		return unreadable("bcrypt with a cost of more than 20")
	}
	stored := []byte("$2b$" + rest)
	// The library compares by itself: what it finds stands for what would be compared.
	fits, not := make([]byte, minSum), []byte{}
	h := &hash{sum: fits, cost: price(bcryptOne, 1<<cost), derive: func(pw []byte) []byte {
		if bcrypt.CompareHashAndPassword(stored, pw) != nil {
			return not
		}
		return fits
	}}
	return h.checked(nil)
}

// ofPBKDF2 is RFC 8018 §5.2.
func ofPBKDF2(long bool, iterations int, salt, sum []byte) (*hash, error) {
	function, one, size := sha256.New, pbkdf2One, sha256.Size
	if long {
		function, one, size = sha512.New, pbkdf2Long, sha512.Size
	}
	blocks := (len(sum) + size - 1) / size // each costs all iterations
	h := &hash{sum: sum, cost: price(one, iterations*blocks), derive: func(pw []byte) []byte {
		key, err := pbkdf2.Key(function, string(pw), salt, iterations, len(sum))
		if err != nil { // in FIPS mode, for short salts
			return nil
		}
		return key
	}}
	return h.checked(salt)
}

// readPBKDF2 reads passlib's 29000$salt$sum, whose base64 has . in place of +, and
// the PHC format's i=29000[,l=32]$salt$sum.
func readPBKDF2(long bool) func(string) (*hash, error) {
	return func(rest string) (*hash, error) {
		parts := strings.Split(rest, "$")
		if len(parts) != 3 {
			return unreadable("want $pbkdf2-sha256$iterations$salt$hash")
		}
		iterations, ok := number(parts[0])
		if text, phc := strings.CutPrefix(parts[0], "i="); phc {
			text, _, _ = strings.Cut(text, ",l=")
			iterations, ok = number(text)
		}
		salt, ok1 := unb64(strings.ReplaceAll(parts[1], ".", "+"))
		sum, ok2 := unb64(strings.ReplaceAll(parts[2], ".", "+"))
		if !ok || !ok1 || !ok2 {
			return unreadable("want $pbkdf2-sha256$iterations$salt$hash")
		}
		return ofPBKDF2(long, iterations, salt, sum)
	}
}

// readDjangoPBKDF2 reads iterations$salt$sum; the salt is text.
func readDjangoPBKDF2(long bool) func(string) (*hash, error) {
	return func(rest string) (*hash, error) {
		parts := strings.Split(rest, "$")
		if len(parts) != 3 {
			return unreadable("want pbkdf2_sha256$iterations$salt$hash")
		}
		iterations, ok := number(parts[0])
		sum, ok1 := unb64(parts[2])
		if !ok || !ok1 || parts[1] == "" {
			return unreadable("want pbkdf2_sha256$iterations$salt$hash")
		}
		return ofPBKDF2(long, iterations, []byte(parts[1]), sum)
	}
}

// ofScrypt is RFC 7914.
func ofScrypt(n, r, p int, salt, sum []byte) (*hash, error) {
	if n < 2 || n&(n-1) != 0 || n > maxScryptN || r > maxScryptN || n*r > maxScryptN || p > maxScryptN {
		return unreadable("scrypt with parameters that it cannot have, or with more than 128 MiB")
	}
	h := &hash{sum: sum, cost: price(scryptOne, n*r*p), derive: func(pw []byte) []byte {
		key, err := scrypt.Key(pw, salt, n, r, p, len(sum))
		if err != nil { // the parameters are bounded above
			return nil
		}
		return key
	}}
	return h.checked(salt)
}

// readScrypt reads ln=16,r=8,p=1$salt$sum, as passlib and the PHC format write it.
func readScrypt(rest string) (*hash, error) {
	parts := strings.Split(rest, "$")
	if len(parts) != 3 {
		return unreadable("want $scrypt$ln=…,r=…,p=…$salt$hash")
	}
	n, ok := named(parts[0], "ln", "r", "p")
	salt, ok1 := unb64(parts[1])
	sum, ok2 := unb64(parts[2])
	if !ok || !ok1 || !ok2 || n[0] > 30 {
		return unreadable("want $scrypt$ln=…,r=…,p=…$salt$hash")
	}
	return ofScrypt(1<<n[0], n[1], n[2], salt, sum)
}

// readDjangoScrypt reads N$salt$r$p$sum; the salt is text.
func readDjangoScrypt(rest string) (*hash, error) {
	parts := strings.Split(rest, "$")
	if len(parts) != 5 || parts[1] == "" {
		return unreadable("want scrypt$N$salt$r$p$hash")
	}
	n, ok := number(parts[0])
	r, ok1 := number(parts[2])
	p, ok2 := number(parts[3])
	sum, ok3 := unb64(parts[4])
	if !ok || !ok1 || !ok2 || !ok3 {
		return unreadable("want scrypt$N$salt$r$p$hash")
	}
	return ofScrypt(n, r, p, []byte(parts[1]), sum)
}

// digest is one round of a hash function, of a password and its salt.
type digest struct {
	of   func() stdhash.Hash
	size int
}

var (
	sha1Sum   = digest{sha1.New, sha1.Size}
	sha256Sum = digest{sha256.New, sha256.Size}
	sha512Sum = digest{sha512.New, sha512.Size}
)

// readSalted reads what LDAP servers keep: base64 of the digest and, behind it, the
// salt. One without is refused: equal passwords would show.
func readSalted(d digest) func(string) (*hash, error) {
	return func(rest string) (*hash, error) {
		raw, ok := unb64(rest)
		if !ok || len(raw) < d.size+4 {
			return unreadable("want base64 of a digest and a salt of at least 4 bytes")
		}
		salt := raw[d.size:]
		h := &hash{sum: raw[:d.size], derive: func(pw []byte) []byte {
			sum := d.of()
			sum.Write(pw)
			sum.Write(salt)
			return sum.Sum(nil)
		}}
		return h.checked(salt)
	}
}
