package login

import (
	"slices"

	"idp/internal/reason"
	"idp/internal/web"
)

// Sentences for several reasons.
const (
	useForm   = "Log in with your name and password instead."
	tellAdmin = "Log in with your name and password instead. If it happens again, read the reference below to your support."
)

// notices says what the visitor is told for a reason. Whatever would tell a
// stranger that a name exists reads like a wrong password.
var notices = map[reason.Code]web.Notice{
	reason.NTLM:        {Title: "Your computer has no company ticket", Text: "It offered an older kind of login (NTLM) that is not accepted here.", Hint: useForm},
	reason.NegoexOnly:  {Title: "Your computer has no company ticket", Text: "It offered a kind of login that is not accepted here.", Hint: useForm},
	reason.ClockSkew:   {Title: "Your computer's clock is wrong", Text: "It differs from ours by more than five minutes, so your ticket cannot be accepted.", Hint: "Correct the clock, or log in with your name and password."},
	reason.Expired:     {Title: "Your company ticket has expired", Text: "Lock and unlock your computer to get a new one.", Hint: useForm},
	reason.Realm:       {Title: "Your company ticket is not accepted here", Text: "It comes from an organisation this site does not know.", Hint: useForm},
	reason.TokenTooBig: {Title: "Your company ticket is too large", Text: "You are probably a member of very many groups.", Hint: tellAdmin},
	reason.NotAPerson:  {Title: "This ticket is not a person's", Text: "It belongs to a machine or a service.", Hint: useForm},

	reason.Unreachable: {Title: "Passwords cannot be checked just now", Text: "Your company's login service does not answer. Your password was not wrong.", Hint: "Try again in a minute."},
	reason.NotGenuine:  {Title: "Passwords cannot be checked just now", Text: "Your company's login service could not prove that it is genuine.", Hint: "Tell your support, with the reference below."},
	reason.KDCError:    {Title: "Passwords cannot be checked just now", Text: "Your company's login service answered with an error.", Hint: "Try again in a minute."},

	reason.NameTaken:      {Title: "Your name needs a decision", Text: "Somebody else already uses the name you would have here.", Hint: "Tell your support, with the reference below."},
	reason.TooManyGuesses: {Title: "Too many wrong passwords", Text: "To protect the account, no more passwords are tried for a while.", Hint: "Try again in half an hour, or ask your support."},
	reason.TooManyFromAddress: {Title: "Too many wrong passwords", Text: "Too many wrong passwords came from your network, so no more are tried from there for a while. Yours was not looked at.",
		Hint: "Try again in ten minutes, from a device on which you have logged in before, or ask your support."},
	reason.Busy: {Title: "Very many people are logging in", Text: "Your password was not looked at.", Hint: "Try again in a few seconds."},

	reason.PasswordExpired: {Kind: "info", Title: "Your password has expired", Text: "Set a new one, and you are logged in."},
	reason.PasswordRefused: {Title: "The new password was not accepted", Text: "It may be too short, too simple, changed a moment ago, or one that you have had before.", Hint: "Choose another one. Your old password is still the one that counts."},
	reason.PasswordsDiffer: {Title: "The new passwords differ", Text: "You typed the new password in two different ways.", Hint: "Type all three passwords again."},
	reason.TicketOld:       {Kind: "info", Title: "Please enter your password", Text: "The site asks for a more recent login than your company ticket shows."},

	reason.BadCode:       codeWrong,
	reason.FactorUnknown: codeWrong,
	reason.CodeReplayed:  {Title: "This code has been used", Text: "Each code is good once.", Hint: "Wait until your app shows the next one, or use another recovery code."},
	reason.FactorLocked:  {Title: "Too many wrong codes", Text: "To protect the account, no more codes are tried for a while.", Hint: "Try again in half an hour, or ask your support."},
	reason.FactorSetup:   {Kind: "info", Title: "Please enter your password", Text: "A second step is to be set up for your login, and only you may do that."},

	reason.BadPasskey:        passkeyRefused,
	reason.PasskeyUnknown:    passkeyRefused,
	reason.PasskeyCounter:    passkeyRefused,
	reason.PasskeyUnverified: {Title: "Your passkey did not make sure of you", Text: "It has to ask for your PIN, your finger or your face.", Hint: "Set up a PIN on your security key, or use another passkey."},
	reason.PasskeyTooLate:    {Kind: "info", Title: "This page was open for too long", Text: "Your passkey was shown to an old question.", Hint: "Try again."},
}

// codeWrong is said of every code that is not right, for whatever reason.
var codeWrong = web.Notice{Title: "The code is wrong", Text: "Check it and try again. Codes of an app change every half minute.",
	Hint: "If codes are wrong again and again, have your phone set its clock by itself."}

// passkeyRefused is the one sentence for passkeys that must not be told apart.
var passkeyRefused = web.Notice{Title: "Your passkey was not accepted", Text: "It may have been removed from your account, or belong to another one.",
	Hint: "Log in in another way. If it happens again, read the reference below to your support."}

// ofSecond: the reason is of the step behind the password.
func ofSecond(code reason.Code) bool {
	return slices.Contains([]reason.Code{reason.BadCode, reason.FactorUnknown, reason.CodeReplayed, reason.FactorLocked,
		reason.BadPasskey, reason.PasskeyUnknown, reason.PasskeyCounter, reason.PasskeyUnverified, reason.PasskeyTooLate}, code)
}

// passwordWrong is the one sentence for everything that must not be told apart.
var passwordWrong = web.Notice{Title: "Name or password is wrong", Text: "Check both and try again. Capital letters count."}

// disabled is told only to whom a ticket has named.
var disabled = web.Notice{Title: "Your account here is closed", Text: "Your ticket is good, but an administrator has disabled your account.", Hint: "Ask your support, with the reference below."}

// notChecked is for typed passwords that nobody could check, through no fault of the
// visitor: our key, a clock, the realm's answer about us.
var notChecked = web.Notice{Title: "Passwords cannot be checked just now", Text: "Something between us and your company's login service is not in order. Your password was not looked at.",
	Hint: "Tell your support, with the reference below."}

// ours are those reasons. Of a ticket they say something else.
var ours = []reason.Code{reason.NoKeytab, reason.WrongSPN, reason.KVNO, reason.WrongKey, reason.NoKey, reason.ClockSkew, reason.NotYetValid, reason.Transited,
	reason.NoPAC, reason.PAC, reason.PACSignature, reason.Authorization, reason.NameMismatch}

// ticketRefused is for the reasons that tell the visitor nothing.
var ticketRefused = web.Notice{Title: "Your company ticket was not accepted", Hint: tellAdmin}

func notice(code reason.Code, ticket bool) *web.Notice {
	if code == "" {
		return nil
	}
	n, ok := notices[code]
	switch {
	case ticket && code == reason.UserDisabled:
		n = disabled
	case !ticket && slices.Contains(ours, code):
		n = notChecked
	case ok:
	case ticket:
		n = ticketRefused
	default:
		n = passwordWrong
	}
	if n.Kind == "" {
		n.Kind = "error"
	}
	return &n
}
