package users

import "github.com/google/uuid"

// Types of events. Their subject is the account's id.
const (
	EventRegistered                 = "users.registered"
	EventRegistrationAttempted      = "users.registration_attempted" // the address already has the account
	EventEmailVerificationRequested = "users.email_verification_requested"
	EventEmailVerified              = "users.email_verified"
	EventPasswordResetRequested     = "users.password_reset_requested"
	EventPasswordChanged            = "users.password_changed"
	EventRolesChanged               = "users.roles_changed"
	EventSecondFactorEnabled        = "users.second_factor_enabled"
	EventSecondFactorDisabled       = "users.second_factor_disabled"
	EventRecoveryCodesRenewed       = "users.recovery_codes_renewed"
	EventRecoveryCodeUsed           = "users.recovery_code_used"
)

// Event is something that happened to an account.
type Event struct {
	Type string
	Data EventData
}

// EventData describes an event, as JSON.
type EventData struct {
	UserID      uuid.UUID `json:"userId"`
	Email       string    `json:"email"`
	DisplayName string    `json:"displayName"`
	Token       string    `json:"token,omitempty"` // for the message only
	Roles       []Role    `json:"roles,omitempty"` // of roles_changed
}
