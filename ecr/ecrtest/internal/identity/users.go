package identity

import (
	"fmt"
	"maps"
)

// UserDefinition is how a user is made: see ecrtest.User.
type UserDefinition struct {
	Name     string
	Policies []string
	Boundary string
	Tags     map[string]string
}

// User is an IAM user.
type User struct {
	Definition UserDefinition
	ARN        string
	ID         string
	Name       string
	Account    string
	Rights     *Rights
	Deleted    bool
}

// Define changes what the user is, its name apart.
func (u *User) Define(def UserDefinition) error {
	rights, err := newRights(def.Policies, def.Boundary, "user "+u.Name)
	if err != nil {
		return err
	}
	def.Tags = maps.Clone(def.Tags)
	u.Definition, u.Rights = def, rights
	return nil
}

// Users are those that there are.
type Users struct {
	home     Home
	bindings *Bindings
	byARN    map[string]*User
}

// NewUsers makes a store of users whose ids go into the bindings.
func NewUsers(home Home, bindings *Bindings) *Users {
	return &Users{home: home, bindings: bindings, byARN: map[string]*User{}}
}

// Add makes a user.
func (us *Users) Add(def UserDefinition) (*User, error) {
	arn, account, name, err := us.home.entity("user", def.Name)
	if err != nil {
		return nil, err
	}
	if us.byARN[arn] != nil {
		return nil, fmt.Errorf("user %s exists", arn)
	}
	u := &User{ARN: arn, Account: account, Name: name, ID: randomID("AIDA")}
	if err := u.Define(def); err != nil {
		return nil, err
	}
	us.byARN[arn] = u
	us.bindings.made(arn, u.ID)
	return u, nil
}

// Find finds a user by name or ARN.
func (us *Users) Find(nameOrARN string) (*User, error) {
	arn, _, _, err := us.home.entity("user", nameOrARN)
	if err != nil {
		return nil, err
	}
	if us.byARN[arn] == nil {
		return nil, fmt.Errorf("no user %s", arn)
	}
	return us.byARN[arn], nil
}

// Delete deletes a user, if there is one of that name or ARN; its keys become invalid. Policies that name it don't name
// a later user of that name.
func (us *Users) Delete(nameOrARN string) error {
	arn, _, _, err := us.home.entity("user", nameOrARN)
	if u := us.byARN[arn]; u != nil {
		u.Deleted = true
		delete(us.byARN, arn)
		us.bindings.deleted(arn)
	}
	return err
}
