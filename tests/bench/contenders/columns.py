"""Constants as long as what the engine writes of one text, for those who decide nothing."""

from __future__ import annotations

from bench.texts import WORDS

DIGEST = "5f" * 32
EFFECT_DATA = '{"parts":[0],"attempt":1}'
MESSAGE_DATA = (
    '{"key":"3a30b82ed19445aeb670aeba7b39a07d","direction":"inbound","note":false,'
    '"confirmation":false,"status":"queued","participant_id":null,"on_behalf_of":null,'
    '"taken":false,"settled":false,"exhausted":false,"failed_in_spell":null,'
    f'"parts":[{{"slice":[0,{len(WORDS)},"gsm7",1],"attempts":[],"retry_at":null}}]}}'
)
CONVERSATION_DATA = (
    '{"conversation_id":"conv-c01a20ede3eeed73842198d","routing":{},"participant_id":null,'
    '"carrier_profile":null,"outstanding":0,"spell":0,"spell_failed":0,"opening":false,'
    '"contacted_at":null,"timers":{"ConversationIdle":"2026-11-27T18:42:55.854922+00:00"}}'
)
EVENT = (
    '{"at":"2026-11-24T18:42:55.867326+00:00","cancelled":[],"conversation":'
    f'"c01a20ede3eeed73842198d","data":{{"digest":"{DIGEST}",'
    f'"key":"3a30b82ed19445aeb670aeba7b39a07d","keyword":null,"parts":[[0,{len(WORDS)},"gsm7",1]]}},'
    '"effects":[{"data":{"attempt":1,"parts":[0]},"due_in_seconds":0.0,"lane":"ordered",'
    '"message":4,"name":"PostMessage","timer":false}],"graph":'
    f'"{DIGEST}","guards":[],"name":"MessageReceived","refused":false,"seq":4,'
    '"source":"routed","target":"routed","transition":"later-text"}'
)
