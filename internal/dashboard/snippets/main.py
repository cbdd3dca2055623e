from keyward import Keyward

with Keyward("https://keyward.example", "kw_live_value") as keyward:
    me = keyward.me()
    print(me.credential.name, me.permissions)
