package scrub

import (
	"strings"
	"sync"
)

// vocabulary are the words that AWS's errors are made of: those of STS, ECR, IAM, KMS and SSO (their SDK's documentation of errors, the IAM
// User Guide's "Troubleshoot access denied error messages"), and those of Go's HTTP and the SDK's credentials providers. A secret is no
// sentence of them.
var vocabulary = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		all[word] = true
	}
	return all
})

const words = `
a aborted above acceptable access accessed accessible account accounts across action activate activated activating administrator after again against
algorithm alias allotted allowed allows already also amazon amazonaws among amz an and another any api applied ar archived are aren't arn arns as
asked associated assume assumed at attempting attempts audience auth authentication authorization authorize authorized availability available awaiting
aws backfill bad bandwidth based basic batch be because been before beginning being below between beyond binary blob blocked body both boundary breaks
broken bucket but by bypass byte bytes cache cached calculated calculation call caller calling can can't canceled cannot carries case cause caused
center certificate chain chaining changed changes character characters check ciphertext ciphertexts claim class cleaned client close closed code com
combination combined command communication complete completed compresses conditions configuration configured conflict conflicts connect connection
consecutive console constraint consult consumes contain container containing contains context control conversion correct could couldn't create created
creation credential credentials cross current currently customer date day days deactivating deadline decode decrypt decrypted default defined delete
deleted deletion denied deny dependency deprecated describe describes deserialization deserialized destination details detected did didn't digest
digits directory disabled disconnected do document documentation does doesn't don't down download due duplicate duration during each earlier ec ecr
edit either eks elastic eligible else empty enable enabled encountered end endpoint endpoints ensure entity enum environment eof equal error errors
escalation evaluation even every example examples exceed exceeded exceeds exception exchanged exclusion exist exists expect expiration expired
explicit explicitly expression extend external failed failure fault feature federation few field file filter filters find first for forbidden force
form format found frequently from fulfilled full gateway gave generate generated get getting given go gone got grant granted greater guide handle
handshake happen has hasn't have header headers here hmac host hour hours how however http https hyphens i iam id identity idle idp if image images
imds immutability immutable implemented import in inaccessible included incoming incomplete incorrect indicates indicator information initiate input
insensitive inside instead integer internal into invalid is isn't iso issue issued it its itself json just jwt key keys kms large last later layer
layers least legacy length less letters level lifecycle lifetime like limit limited limits line list listed literal load locked login longer looking
lowercase made make makes making malformed managed management manager manifest many master match matching max maximum may mean media meet member
message metadata method metrics mfa mi might min minute minutes misdirected missing more most much must mutable mutability name named names neither net
network never new newline next no none nor not note nothing now ns null number oauth object occur occurred occurs of off often on once one only open
operating operation operations opt option or organization organizations original originally other out outbound outside over overwritten own owned
owner packed parameter parameters parse parsing part parts passed passing pattern patterns payload payment peer pending per percent percentage perform
performed performing permission permissions persists pipe please pod policies policy precondition prefix present preview previous principal prior
private problem process progress protocol provide provided provider provider's provisioned proxy public pull pulled push pushed put query queue quota
quotas range rate rather reach reached read reauthenticate receipt receive redirect reduce referenced referencing referrer referrers refers refresh
refreshed region registration registry regular rejected relative replication reported repositories repository request requested requests required
reserved reset resolve resource responding response result results retire retrieval retrieve retry retrying returned review revoked role roles root
rule rules run same satisfy scan scanned scanning scheme scope scoped sdk sdk's second seconds secret secrets security see send sends sent separate
sequence serial serialization server service services session set setting settings several sha should side sign signature signed signing sigv since
size skew skewed slashes slow small smaller smithy so something source space spaces specific specified specify spelling sso start starting stat state
static status still stop storage stream string sts subscription succeed such sufficient supported suspended syntax tag tagged tagging tags target
template templates temporarily terminal terminated termination than that the then there these this those though throttled throttling through
throughput thrown thumbprint time timeout times tls to together token too toomanyrequests top total trade transaction transient transitive transport
true trust try trying type unable unassociated unauthorized unavailable under underscores unexpected unique unknown unrecognized unsigned unsupported
untag until up update upgrade upload upon upper uppercase upstream uri url usable use used user using usually valid validate validated validating
validation value values variable vendor verification verify version very via vpc wait waiting was wasn't we web were what when whether which while
whose why wildcard with within without won't would write wrong x yet you your
`
