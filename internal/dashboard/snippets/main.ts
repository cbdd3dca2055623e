import { Keyward } from "keyward";

const keyward = new Keyward({ url: "https://keyward.example", token: "kw_live_value" });
const me = await keyward.me();
console.log(me.credential.name, me.permissions);
