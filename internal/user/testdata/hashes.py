# Makes hashes.txt, the hashes of other software that idp's tests read: python3 -m venv v;
# v/bin/pip install django==5.2.19 passlib==1.7.4 bcrypt==4.0.1 argon2-cffi==25.1.0; v/bin/python hashes.py >hashes.txt
import crypt
from django.conf import settings
settings.configure(PASSWORD_HASHERS=["django.contrib.auth.hashers." + h for h in
    ("PBKDF2PasswordHasher", "Argon2PasswordHasher", "BCryptPasswordHasher", "ScryptPasswordHasher")])
import django
django.setup()
from django.contrib.auth.hashers import make_password
from passlib.hash import argon2, bcrypt, ldap_salted_sha1, ldap_salted_sha256, ldap_salted_sha512, ldap_bcrypt, pbkdf2_sha256, pbkdf2_sha512, scrypt

password = "Zwölf Boxkämpfer jagen Eva"
made = {
    "django": [make_password(password, hasher=h) for h in ("pbkdf2_sha256", "argon2", "bcrypt", "scrypt")],
    "passlib": [h.hash(password) for h in (argon2, bcrypt.using(rounds=10), bcrypt.using(rounds=4, ident="2a"), bcrypt.using(rounds=4, ident="2y"),
        pbkdf2_sha256, pbkdf2_sha512, scrypt.using(rounds=14), ldap_salted_sha1, ldap_salted_sha256, ldap_salted_sha512, ldap_bcrypt.using(rounds=4))],
    "libxcrypt": [crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))],
}
# And, from OpenLDAP: slappasswd -h {SSHA} -s "$password"
for name, hashes in made.items():
    for h in hashes:
        print(name, h)
