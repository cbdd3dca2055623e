// Package storetest owns the duties of every driver of the store, as one suite. It does not own the specifics of one
// of them: the file, its mode, the effects of the disk on it (sqlite).
package storetest

import (
	"testing"

	"github.com/keyward/keyward/internal/store"
)

// Open opens a database. Called again after the driver was closed it opens the same one.
type Open func() store.Driver

// tests are the duties by name.
var tests = map[string]func(*testing.T, *fixture){
	"a workspace is read as it was put":                                    testWorkspace,
	"workspaces are paged from the newest":                                 testWorkspacePages,
	"a deleted workspace takes everything in it out of sight":              testWorkspaceDeleted,
	"purging a deleted workspace spares the others":                        testPurge,
	"a role is read as it was put":                                         testRole,
	"system roles follow the catalogue":                                    testSystemRoles,
	"a role's folded name is unique in its workspace":                      testRoleNames,
	"a role that members hold is not deleted":                              testRoleHeld,
	"a member is read as it was put":                                       testMember,
	"members are paged by user and counted by role":                        testMemberPages,
	"one who left is no member and still a creator":                        testMemberLeft,
	"a key is read as it was put":                                          testKey,
	"a key is updated whole":                                               testKeyUpdate,
	"a digest is there once":                                               testKeyDuplicate,
	"what is not there is not found":                                       testNotFound,
	"a member's keys are counted wherever they go":                         testKeyCount,
	"keys are paged from the newest and filtered":                          testKeyPages,
	"keys are listed and counted by how they stand":                        testStandings,
	"a filtered list of keys is the whole list, filtered by hand":          testFilters,
	"the events of one thing are found":                                    testTargets,
	"T57 every character of a search stands for itself":                    testSearch,
	"an earlier value is there until its overlap ends":                     testPrevious,
	"T23 the peppers in use are listed":                                    testPeppers,
	"prefixes are remembered, and found where they were not":               testKeyPrefixes,
	"T99 the kind of a foreign digest is kept, loaded and replaced":        testForeignDigest,
	"a set that no row has goes, and its number stays":                     testUnusedSets,
	"every table with sets is looked at before one goes":                   testSetUsers,
	"a set keeps the names that a smaller catalogue does not know":         testSetsOutliveCatalogue,
	"a service key is read as it was put":                                  testServiceKey,
	"a session is read as it was put and ends once":                        testSession,
	"sessions are paged from the newest and filtered":                      testSessionFilters,
	"what is past its end is purged of sessions and links":                 testSessionPurge,
	"T71 a passkey is read as it was put and ends once":                    testPasskey,
	"T12 an invitation is there until it is followed":                      testInvitation,
	"T111 a portal session is read as it was put and bound once":           testPortal,
	"T111 portal sessions are filtered, and end all at once":               testPortalEnds,
	"T111 a proof of possession is spent once":                             testProof,
	"T78 a request for a key is read as it was put and ends once":          testKeyRequest,
	"T78 requests for keys are counted while they wait":                    testKeyRequestTotals,
	"T71 a challenge is answered once":                                     testChallenge,
	"T12 a sign-in link is there until it is used":                         testSignInLink,
	"a person's places are those where they are a member":                  testMemberships,
	"a replay is kept for a day":                                           testIdempotency,
	"T19 a sealed copy ends with its value":                                testSealed,
	"T39 a day's reservations never pass the limit":                        testQuota,
	"T103 a jump of the clock that is taken back ends nothing":             testJump,
	"T103 a jump of the clock is counted across restarts":                  testJumpLasts,
	"T103 a day goes on after a jump that is taken back":                   testJumpedDay,
	"T103 a log whose times fall is paged and bounded as any other":        testFallingLog,
	"T103 what a wrong clock left behind is released":                      testResetTime,
	"T31 a quota never goes back to an earlier day":                        testQuotaDays,
	"T38 windows are kept once and taken once":                             testWindows,
	"events are filtered and paged":                                        testLogs,
	"a search of the log finds what people see":                            testLogSearch,
	"a stretch of the log is so many events":                               testLogStretch,
	"events are counted and their types listed":                            testLogCount,
	"T84 a log that was changed from outside is found out":                 testChain,
	"T84 a log goes on where an archive ends":                              testCutLog,
	"T83 a change without an event is refused":                             testNoEvent,
	"a failed transaction leaves nothing":                                  testRollback,
	"T83 a failing transaction in a group spoils none of the others":       testGroup,
	"transactions that wait share a commit":                                testGroupShares,
	"T26 a transaction's revision is where the log ends for it":            testRevision,
	"a panic and a lost goroutine are one caller's error":                  testPanic,
	"a caller that gave up is passed over":                                 testContext,
	"a savepoint takes back its rows, its events and its feed":             testSavepoint,
	"what a transaction did to a workspace it knows":                       testLiving,
	"what a group has read is what is there":                               testKnown,
	"savepoints nest":                                                      testSavepointNest,
	"a permission set that was rolled back is not remembered":              testSetRolledBack,
	"a view sees one moment":                                               testSnapshot,
	"nobody reads what is not committed":                                   testUncommitted,
	"concurrent transactions lose no update":                               testLostUpdate,
	"the feed tells committed rows in order, before anybody returns":       testFeed,
	"what the feed tells is what is loaded":                                testFeedIsLoad,
	"the change log does what every source must":                           testChangeLog,
	"what the change log tells is what is loaded":                          testChangeLogIsLoad,
	"T110 followers that have joined are known after a start":              testFollowers,
	"changes are known by their workspaces":                                testTouched,
	"young changes are kept for followers that are away":                   testChangesKept,
	"T81 a commit that the disk lost ends everything":                      testDurability,
	"T82 a full disk refuses a group and the next one may succeed":         testFull,
	"T31 the clock does not fall below its mark after a restart":           testTimeMark,
	"the secret survives a restart and differs between installations":      testSecret,
	"a closed database refuses":                                            testClosed,
	"usage adds up and is read as a series":                                testUsage,
	"counting leaves no event and is not in the feed":                      testCounting,
	"an earlier value has a last use of its own":                           testEarlierUse,
	"counts of what was deleted are purged":                                testUsageGone,
	"the latest refusals of a key are kept":                                testRefusals,
	"refusals go with their key and their workspace":                       testRefusalsGone,
	"old refusals are purged":                                              testRefusalsOld,
	"T105 a full table of refusals takes from the loudest workspace":       testRefusalsFull,
	"T97 a removal knows what happened to its keys since":                  testRemoval,
	"T97 a removal ends where its heir loses something":                    testRemovalOfHeirs,
	"old counts are purged, each grain at its time":                        testUsageOld,
	"a long transaction has a commit of its own":                           testApart,
	"purging takes the writer for a moment at a time":                      testPurgeInChunks,
	"random operations agree with a model":                                 testModel,
	"every field of every record is written, changed and read":             testWhole,
	"a group of several tenants is committed after a while":                testShortGroups,
	"a long transaction is told to end where others wait":                  testShouldEnd,
	"a loud tenant's transactions do not stand between two of a quiet one": testTurns,
	"a key has the last day of each permission that was used":              testPermissionUses,
	"demanded permissions are counted by workspace and day":                testPermissionCounts,
	"the last backup is known":                                             testBackups,
	"a batch of a follower is done once":                                   testFollowerBatches,
	"a follower gives back what it holds and no more":                      testFollowerDays,
}

// Run runs the suite. place makes a new and empty database each time.
func Run(t *testing.T, place func(t *testing.T) Open) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFixture(t, place(t)))
		})
	}
}
