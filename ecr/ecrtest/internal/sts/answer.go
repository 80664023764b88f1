package sts

import (
	"encoding/xml"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/identity"
)

type callerIdentity struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult"`
	Arn     string
	UserID  string `xml:"UserId"`
	Account string
}

func newCallerIdentity(who identity.Caller) callerIdentity {
	return callerIdentity{Arn: who.ARN(), UserID: who.ID(), Account: who.Account()}
}

type assumedRole struct {
	XMLName          xml.Name
	AssumedRoleID    string `xml:"AssumedRoleUser>AssumedRoleId"`
	Arn              string `xml:"AssumedRoleUser>Arn"`
	AccessKeyID      string `xml:"Credentials>AccessKeyId"`
	SecretAccessKey  string `xml:"Credentials>SecretAccessKey"`
	SessionToken     string `xml:"Credentials>SessionToken"`
	Expiration       string `xml:"Credentials>Expiration"`
	SessionTokenSize int
	SourceIdentity   string `xml:",omitempty"`
	Subject          string `xml:"SubjectFromWebIdentityToken,omitempty"`
	Provider         string `xml:",omitempty"`
	Audience         string `xml:",omitempty"`
}

func newAssumedRole(action string, key *identity.Key) assumedRole {
	return assumedRole{
		XMLName:       xml.Name{Local: action + "Result"},
		AssumedRoleID: key.Who.ID(), Arn: key.Who.ARN(), AccessKeyID: key.ID, SecretAccessKey: key.Secret,
		SessionToken: key.Token, Expiration: key.Expires.UTC().Format("2006-01-02T15:04:05Z"),
		SessionTokenSize: len(key.Token), SourceIdentity: key.Who.Session.SourceID,
	}
}

func tooLong() *awserr.Error {
	return awserr.New("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
}
