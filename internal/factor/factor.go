// Package factor is what people have beside their first factor: time-based codes,
// passkeys and recovery codes.
package factor
