package wire

// Me answers with the caller.
type Me struct {
	User        *Creator      `json:"user"`
	Workspaces  []MyWorkspace `json:"workspaces"`
	Role        *Role         `json:"role"`
	Permissions []string      `json:"permissions"`
	Grantable   []string      `json:"grantable"`
	Credential  Credential    `json:"credential"`
}

// MyWorkspace is a workspace of the caller. RoleID and RoleName are a person's.
type MyWorkspace struct {
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	IsActive  bool    `json:"isActive"`
	IsCurrent bool    `json:"isCurrent"`
	RoleID    *string `json:"roleId"`
	RoleName  *string `json:"roleName"`
	IsOwner   bool    `json:"isOwner"`
}

// Credential describes the presented value. A member is null if credentials of the type do not have it, or if it is
// not bound.
type Credential struct {
	Type         string    `json:"type"`
	ID           *string   `json:"id"`
	Name         *string   `json:"name"`
	Key          *string   `json:"key"`
	Value        *string   `json:"value"`
	Method       *string   `json:"method"`
	ServiceKeyID *string   `json:"serviceKeyId"`
	Scopes       *[]string `json:"scopes"`
	WorkspaceIDs *[]string `json:"workspaceIds"`
	Environments *[]string `json:"environments"`
	AllowedIPs   *[]string `json:"allowedIps"`
	ExpiresAt    *Time     `json:"expiresAt"`
}
