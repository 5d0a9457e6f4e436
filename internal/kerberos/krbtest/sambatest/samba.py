"""What sambatest cannot do by samba-tool, with Samba's own Python.

provision DIR REALM DOMAIN PASSWORD  make a domain. samba-tool's own command gives
                                     the files of its share to other users, which
                                     takes root and is of no use to a KDC
modify CONF                          apply the LDIF of standard input
show CONF ACCOUNT ATTRIBUTE          print an attribute of an account or group
"""

import logging
import os
import sys

from ldb import SCOPE_SUBTREE, binary_encode
from samba.auth import system_session
from samba.dcerpc import security
from samba.dsdb import DS_DOMAIN_FUNCTION_2008_R2
from samba.ndr import ndr_unpack
from samba.param import LoadParm
from samba.provision import FILL_FULL, provision
from samba.samdb import SamDB


def make(folder, realm, domain, password):
    log = logging.getLogger("provision")
    log.addHandler(logging.NullHandler())
    provision(
        log,
        system_session(),
        targetdir=folder,
        realm=realm,
        domain=domain,
        hostname="dc",
        hostip="127.0.0.1",
        adminpass=password,
        serverrole="active directory domain controller",
        dom_for_fun_level=DS_DOMAIN_FUNCTION_2008_R2,
        dns_backend="NONE",
        samdb_fill=FILL_FULL,
        use_ntvfs=True,
        lp=LoadParm(),
    )


def database(conf):
    lp = LoadParm()
    lp.load(conf)
    url = os.path.join(lp.get("private dir"), "sam.ldb")
    return SamDB(url=url, session_info=system_session(), lp=lp)


def show(conf, account, attribute):
    db = database(conf)
    found = db.search(
        db.domain_dn(),
        scope=SCOPE_SUBTREE,
        expression="(sAMAccountName=%s)" % binary_encode(account),
        attrs=[attribute],
    )
    if len(found) != 1:
        sys.exit("%d accounts are called %s" % (len(found), account))
    value = found[0].get(attribute, idx=0)
    if value is None:
        return
    if attribute == "objectSid":
        print(ndr_unpack(security.dom_sid, value))
    else:
        print(str(value))


command, *args = sys.argv[1:]
if command == "provision":
    make(*args)
elif command == "modify":
    database(*args).modify_ldif(sys.stdin.read())
elif command == "show":
    show(*args)
else:
    sys.exit("unknown command " + command)
